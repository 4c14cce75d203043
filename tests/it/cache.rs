//! One cache and the environment's own rules, however a user writes a name or sets up a machine.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::path::Path;
use std::process::{Command, Output};

use tarjama::models::fetch::{FetchOptions, fetch_model};
use tarjama::models::manifest::{self, Manifest};
use tarjama::models::store::Store;

use crate::server::{Server, content, length, put, reply, serve};

const PLAIN: &str = "id = \"Own-Model\"\nabout = \"\"\ntask = \"translate\"\nfamily = \"firefox\"\n\
                     licence = \"MIT\"\ndirections = [\"en-ar\"]\n[[file]]\npath = \"f.bin\"\n\
                     source = [{ kind = \"url\", url = \"@@/f\" }]\n";

/// The program with an environment that holds this alone.
fn tarjama(arguments: &[&str], environment: &[(&str, &str)]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_tarjama"))
        .args(arguments)
        .env_clear()
        .envs(environment.iter().copied())
        .output()
        .unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&[&output.stdout[..], &output.stderr].concat()).into_owned()
}

#[test]
fn a_model_is_one_however_its_name_is_written() {
    let file = content(1);
    let copy = file.clone();
    let server = Server::new(move |r, _, s| serve(r, s, &copy, "a", usize::MAX));
    let cache = tempfile::tempdir().unwrap();
    let store = Store::new(cache.path().to_path_buf());
    let text = PLAIN.replace("@@", &server.address);
    let options = FetchOptions::default();
    let fetch = |text: &str| fetch_model(&Manifest::parse(text, "t").unwrap(), &store, &options);
    let dir = fetch(&text).unwrap();
    for name in ["Own-Model", "own-model", "OWN-MODEL"] {
        assert_eq!(store.installed(name).as_ref(), Some(&dir), "{name}");
        assert_eq!(fetch(&text.replace("Own-Model", name)).unwrap(), dir);
        assert!(store.find(name).unwrap().is_some());
    }
    assert_eq!(server.seen().len(), 1);
    for name in [
        "nllb-200-600m",
        "NLLB-200-600M",
        "facebook/nllb-200-distilled-600M",
        "Facebook/NLLB-200-Distilled-600m",
    ] {
        assert_eq!(manifest::find(name).unwrap().id, "nllb-200-600m", "{name}");
    }
}

#[test]
fn what_the_hubs_own_client_has_is_not_fetched_again() {
    let home = tempfile::tempdir().unwrap();
    // As that client names it when its user writes the repository in other capitals.
    let snapshot = home.path().join("hub/models--o--N/snapshots/abc");
    std::fs::create_dir_all(&snapshot).unwrap();
    put(&snapshot.join("config.json"), b"{}");
    put(&snapshot.join("model.safetensors"), b"weights");
    std::fs::create_dir_all(home.path().join("hub/models--o--N/refs")).unwrap();
    put(&home.path().join("hub/models--o--N/refs/main"), b"abc\n");
    let text = "id = \"h\"\nabout = \"\"\ntask = \"translate\"\nfamily = \"hf\"\nlicence = \"MIT\"\n\
                directions = [\"en-ar\"]\n[hub]\nrepo = \"O/n\"\n";
    let cache = tempfile::tempdir().unwrap();
    let options = FetchOptions {
        hub_home: Some(home.path().to_path_buf()),
        offline: true,
        ..FetchOptions::default()
    };
    let store = Store::new(cache.path().to_path_buf());
    let dir = fetch_model(&Manifest::parse(text, "t").unwrap(), &store, &options).unwrap();
    assert_eq!(
        std::fs::read(dir.join("model.safetensors")).unwrap(),
        b"weights"
    );
}

#[test]
fn a_cache_that_may_only_be_read_serves() {
    use std::os::unix::fs::PermissionsExt as _;
    let file = content(2);
    let server = Server::new(move |r, _, s| serve(r, s, &file, "a", usize::MAX));
    let cache = tempfile::tempdir().unwrap();
    let store = Store::new(cache.path().to_path_buf());
    let manifest = Manifest::parse(&PLAIN.replace("@@", &server.address), "t").unwrap();
    let dir = fetch_model(&manifest, &store, &FetchOptions::default()).unwrap();
    let set = |mode| {
        for folder in [dir.as_path(), dir.parent().unwrap(), store.root()] {
            std::fs::set_permissions(folder, std::fs::Permissions::from_mode(mode)).unwrap();
        }
    };
    set(0o555);
    let again = fetch_model(&manifest, &store, &FetchOptions::default());
    let verified = store.list().len();
    set(0o755);
    assert_eq!(again.unwrap(), dir);
    assert_eq!(verified, 1);
}

fn own_manifests(folder: &Path, address: &str) -> String {
    let models = folder.join("tarjama/models");
    std::fs::create_dir_all(&models).unwrap();
    put(
        &models.join("own.toml"),
        PLAIN.replace("@@", address).as_bytes(),
    );
    folder.display().to_string()
}

#[test]
fn a_proxy_of_the_environment_is_asked() {
    let proxy = Server::new(|_, _, s| reply(s, "404 No", &[length(0)], b""));
    let folder = tempfile::tempdir().unwrap();
    let config = own_manifests(folder.path(), "http://models.invalid");
    let cache = folder.path().join("cache").display().to_string();
    let output = tarjama(
        &["models", "fetch", "own-model"],
        &[
            ("XDG_CONFIG_HOME", &config),
            ("TARJAMA_CACHE", &cache),
            ("HTTP_PROXY", &proxy.address),
        ],
    );
    assert!(!output.status.success());
    let path = proxy.seen().first().map(|r| r.path.clone());
    assert!(
        path.as_ref().is_some_and(|p| p.contains("models.invalid")),
        "{path:?}: {}",
        said(&output)
    );
}

#[test]
fn a_machine_without_home_serves_from_the_folder_it_names_and_says_how() {
    let cache = tempfile::tempdir().unwrap();
    let cache = cache.path().display().to_string();
    for name in ["TARJAMA_CACHE", "XDG_CACHE_HOME"] {
        let output = tarjama(&["models", "list"], &[(name, &cache)]);
        assert!(output.status.success(), "{}", said(&output));
    }
    let output = tarjama(&["models", "list"], &[]);
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    assert!(said(&output).contains("--cache"), "{}", said(&output));
}

#[test]
fn offline_is_obeyed_and_says_the_way_out() {
    let server = Server::new(|_, _, s| reply(s, "200 OK", &[length(0)], b""));
    let folder = tempfile::tempdir().unwrap();
    let config = own_manifests(folder.path(), &server.address);
    let cache = folder.path().join("cache").display().to_string();
    for value in ["1", "true", "ON"] {
        let output = tarjama(
            &["models", "fetch", "own-model"],
            &[
                ("XDG_CONFIG_HOME", &config),
                ("TARJAMA_CACHE", &cache),
                ("HF_HUB_OFFLINE", value),
            ],
        );
        assert_eq!(output.status.code(), Some(2), "{}", said(&output));
        assert!(said(&output).contains("models import"), "{}", said(&output));
    }
    assert!(server.seen().is_empty());
}
