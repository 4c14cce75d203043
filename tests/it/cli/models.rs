//! `models`: what is known, fetched, checked, carried to another machine.

use serde_json::{Value, json};

use super::{Home, tiny};
use crate::server::{Server, content, length, reply, serve, sha};

/// Imports a tiny model under a name.
fn import(home: &Home, id: &str) -> Value {
    home.tarjama(&["models", "import", &tiny("en-ar"), "--id", id, "--json"])
        .exits(0)
        .json()
}

/// A manifest of the user's own with one file, from a server.
fn own_manifest(home: &Home, id: &str, server: &Server, file: &[u8]) {
    let (size, hash, address) = (file.len(), sha(file), &server.address);
    home.write(
        &format!(".config/tarjama/models/{id}.toml"),
        format!(
            "id = \"{id}\"\nabout = \"test\"\ntask = \"translate\"\nfamily = \"firefox\"\n\
             directions = [\"en-ar\"]\nlicence = \"MIT\"\n[[file]]\npath = \"model.bin\"\n\
             size = {size}\nsha256 = \"{hash}\"\n\
             source = [{{ kind = \"url\", url = \"{address}/f\" }}]\n"
        ),
    );
}

#[test]
fn keeps_a_model_whole_from_one_machine_to_another() {
    let (here, there) = (Home::new(), Home::new());
    let facts = import(&here, "tiny-en-ar");
    assert_eq!(facts["id"], "tiny-en-ar");
    let revision = facts["revision"].as_str().unwrap().to_owned();
    assert_eq!(revision.len(), 12);

    let listed = here
        .tarjama(&["models", "list", "--installed", "--json"])
        .exits(0)
        .json();
    assert_eq!(listed["models"][0]["id"], "tiny-en-ar");
    assert_eq!(listed["models"].as_array().unwrap().len(), 1);
    assert_eq!(
        listed["embedded"],
        json!({"id": "tarjama-enar", "draft": true})
    );
    let shown = here
        .tarjama(&["models", "show", "tiny-en-ar", "--json"])
        .exits(0)
        .json();
    assert_eq!(
        (&shown["installed"], &shown["revision"]),
        (&json!(true), &json!(revision))
    );
    assert_eq!(shown["directions"], json!(["en-ar"]));
    let shown = here.tarjama(&["models", "show", "tiny-en-ar"]).good();
    assert!(
        shown.contains("en-ar") && shown.contains(&revision),
        "{shown}"
    );
    let good = here
        .tarjama(&["models", "verify", "--json"])
        .exits(0)
        .json();
    assert_eq!(good["good"][0]["id"], "tiny-en-ar");

    let bundle = there.arg("m.tar");
    let told = here
        .tarjama(&["models", "bundle", "tiny-en-ar", "-o", &bundle, "--json"])
        .exits(0)
        .json();
    let size = std::fs::metadata(&bundle).unwrap().len();
    assert_eq!(
        (&told["path"], &told["bytes"]),
        (&json!(bundle), &json!(size))
    );
    assert_eq!(told["models"], json!([format!("tiny-en-ar@{revision}")]));
    let arrived = there.tarjama(&["models", "import", "m.tar"]).good();
    assert!(
        arrived.contains(&format!("tiny-en-ar@{revision}")),
        "{arrived}"
    );
    there.tarjama(&["models", "verify"]).good();

    // By id, by directory, and as the best installed one: the same answer.
    let lines = |home: &Home, model: Option<&str>| {
        let mut command = home.command(&["translate", "--lines", "--to", "ar"]);
        match model {
            Some(model) => command.env("TARJAMA_MODEL", model),
            None => command.env_remove("TARJAMA_MODEL"),
        };
        let news = home.write("news.txt", "One man.\n");
        super::ended(command.arg(news).output().unwrap()).exits(0)
    };
    let by_id = lines(&there, Some("tiny-en-ar"));
    assert!(
        by_id.err.contains(&format!("tiny-en-ar@{revision}")),
        "{}",
        by_id.err
    );
    let best = lines(&there, None);
    assert!(best.err.contains("tiny-en-ar@"), "{}", best.err);
    let by_directory = lines(&here, Some(&tiny("en-ar")));
    assert_eq!((&best.out, &by_directory.out), (&by_id.out, &by_id.out));

    // The same models give the same bundle.
    let again = there.arg("n.tar");
    there
        .tarjama(&["models", "bundle", "tiny-en-ar", "-o", &again])
        .good();
    assert!(there.read("m.tar") == there.read("n.tar"));
}

#[test]
fn fails_when_a_model_is_damaged() {
    let home = Home::new();
    let revision = import(&home, "tiny")["revision"]
        .as_str()
        .unwrap()
        .to_owned();
    let folder = home.path(".cache/tarjama/models/tiny").join(revision);
    let weights = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .max_by_key(|path| path.metadata().unwrap().len())
        .unwrap();
    let mut bytes = std::fs::read(&weights).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    let relative = weights
        .strip_prefix(home.path(""))
        .unwrap()
        .to_str()
        .unwrap()
        .to_owned();
    home.write(&relative, &bytes);
    let ended = home.tarjama(&["models", "verify", "--json"]).exits(5);
    assert_eq!(ended.json()["bad"][0]["id"], "tiny");
    home.tarjama(&["models", "verify", "tiny"])
        .exits(5)
        .says(&["tiny", "SHA-256", "fetch"]);
    home.tarjama(&["models", "bundle", "tiny", "-o", "m.tar"])
        .exits(5);
    assert!(!home.path("m.tar").exists());
    // Cut off, it is not installed at all, and it does not load.
    home.write(&relative, &bytes[..middle]);
    home.tarjama(&["models", "verify", "tiny"]).exits(5);
    let folder = folder.to_str().unwrap();
    home.tarjama_with(&["translate", "--model", folder], "One man.\n")
        .exits(5)
        .says(&["model"]);
    let wrong = home.write("folder/readme.txt", "no model");
    let wrong = wrong.trim_end_matches("/readme.txt");
    home.tarjama_with(&["translate", "--model", wrong], "One man.\n")
        .exits(5);
    home.tarjama(&["models", "import", wrong])
        .exits(5)
        .says(&["layout"]);
    home.tarjama(&["models", "import", "nowhere.tar"])
        .exits(2)
        .says(&["nowhere.tar"]);
    home.write("junk.tar", "no tar");
    home.tarjama(&["models", "import", "junk.tar"])
        .exits(5)
        .says(&["junk.tar"]);
}

#[test]
fn keeps_fetched_models_of_the_users_own_manifests() {
    let home = Home::new();
    let file = content(31);
    let copy = file.clone();
    let server = Server::new(move |r, _, s| serve(r, s, &copy, "a", usize::MAX));
    own_manifest(&home, "mine", &server, &file);
    let listed = home.tarjama(&["models", "list"]).good();
    assert!(listed.contains("mine"), "{listed}");
    let facts = home
        .tarjama(&["models", "fetch", "mine", "--json"])
        .exits(0)
        .json();
    assert_eq!(facts["id"], "mine");
    assert!(std::path::Path::new(facts["path"].as_str().unwrap()).is_dir());
    let asked = server.seen().len();
    home.tarjama(&["models", "fetch", "mine"]).good();
    assert_eq!(
        server.seen().len(),
        asked,
        "what is installed is not fetched"
    );
}

#[test]
fn fails_when_a_fetch_brings_other_bytes_or_nothing() {
    let home = Home::new();
    let (file, other) = (content(32), content(33));
    let server = Server::new(move |r, _, s| match r.path.as_str() {
        "/f" => serve(r, s, &other, "a", usize::MAX),
        _ => reply(s, "404 No", &[length(0)], b""),
    });
    own_manifest(&home, "wrong", &server, &file);
    home.tarjama(&["models", "fetch", "wrong"])
        .exits(5)
        .says(&["SHA-256", "wrong"]);
    let down = Server::new(|_, _, s| reply(s, "500 No", &[length(0)], b""));
    own_manifest(&home, "down", &down, &file);
    home.tarjama(&["models", "fetch", "down"])
        .exits(4)
        .says(&["500", "again"]);
    assert!(!home.path(".cache/tarjama/models/down/lock.json").exists());
    home.tarjama(&["models", "fetch", "no-such-model"])
        .exits(2)
        .says(&["models list"]);
    home.tarjama(&["models", "fetch", "firefox-enar"])
        .exits(2)
        .says(&["firefox-en-ar"]);
    home.tarjama(&["models", "bundle", "down", "-o", "m.tar"])
        .exits(2)
        .says(&["not installed", "models fetch down"]);
    home.write(".config/tarjama/models/broken.toml", "id = ");
    home.tarjama(&["models", "list"])
        .exits(2)
        .says(&["broken.toml"]);
}

#[test]
fn keeps_what_hugging_faces_variables_mean() {
    let home = Home::new();
    let server = Server::new(|_, _, s| reply(s, "401 No", &[length(0)], b""));
    let fetch = |variables: &[(&str, &str)]| {
        let mut command = home.command(&["models", "fetch", "opus-mt-en-ar"]);
        command.envs(variables.iter().copied());
        super::ended(command.output().unwrap())
    };
    let address = server.address.as_str();
    fetch(&[("HF_HUB_OFFLINE", "1"), ("HF_ENDPOINT", address)])
        .exits(2)
        .says(&["HF_HUB_OFFLINE", "models import"]);
    assert!(server.seen().is_empty(), "offline asks nobody");
    fetch(&[("HF_ENDPOINT", address), ("HF_TOKEN", "hf_one")])
        .exits(4)
        .says(&["HF_TOKEN"]);
    let seen = server.seen();
    assert!(
        seen[0]
            .path
            .contains("/api/models/Helsinki-NLP/opus-mt-en-ar"),
        "{seen:?}"
    );
    assert_eq!(seen[0].header("authorization"), Some("Bearer hf_one"));
    home.write("hub/token", "hf_two\n");
    fetch(&[("HF_ENDPOINT", address), ("HF_HOME", &home.arg("hub"))]).exits(4);
    let last = server.seen();
    assert_eq!(
        last.last().unwrap().header("authorization"),
        Some("Bearer hf_two")
    );
}

#[test]
fn goes_on_with_the_draft_when_a_fetch_fails() {
    let home = Home::new();
    let mut command = home.command(&["translate", "--lines", "--fetch", "--to", "ar"]);
    command
        .env_remove("TARJAMA_MODEL")
        .env("HF_HUB_OFFLINE", "1")
        .arg(home.write("news.txt", "One man.\n"));
    let ended = super::ended(command.output().unwrap()).exits(0);
    let ended = ended.says(&["could not fetch firefox-en-ar", "HF_HUB_OFFLINE", "DRAFT"]);
    assert!(!ended.out.trim().is_empty());
}
