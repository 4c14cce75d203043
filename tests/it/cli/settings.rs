//! Settings: flag > `TARJAMA_*` > `tarjama.toml` > default.

use super::{Ended, Home, ended, tiny};

/// Calls with variables of the environment on top.
fn with(home: &Home, args: &[&str], variables: &[(&str, &str)]) -> Ended {
    let mut command = home.command(args);
    command
        .env_remove("TARJAMA_MODEL")
        .envs(variables.iter().copied());
    ended(command.output().unwrap())
}

fn cache(home: &Home, args: &[&str], variables: &[(&str, &str)]) -> String {
    let args = [&["doctor", "--json"], args].concat();
    let facts = with(home, &args, variables).exits(0).json();
    facts["cache"]["path"].as_str().unwrap().to_owned()
}

#[test]
fn a_flag_beats_the_environment_beats_the_file_beats_the_default() {
    let home = Home::new();
    assert_eq!(cache(&home, &[], &[]), home.arg(".cache/tarjama"));
    assert_eq!(cache(&home, &[], &[("XDG_CACHE_HOME", "/x")]), "/x/tarjama");
    home.write(
        ".config/tarjama/tarjama.toml",
        "cache = \"/from-user-file\"\n",
    );
    assert_eq!(cache(&home, &[], &[]), "/from-user-file");
    home.write("tarjama.toml", "cache = \"/from-file\"\n");
    assert_eq!(
        cache(&home, &[], &[]),
        "/from-file",
        "the folder's own file comes first"
    );
    assert_eq!(
        cache(&home, &[], &[("TARJAMA_CACHE", "/from-env")]),
        "/from-env"
    );
    let flag = ["--cache", "/from-flag"];
    assert_eq!(
        cache(&home, &flag, &[("TARJAMA_CACHE", "/from-env")]),
        "/from-flag"
    );
    let other = home.write("other.toml", "cache = \"/from-other\"\n");
    assert_eq!(cache(&home, &["--config", &other], &[]), "/from-other");
    assert_eq!(
        cache(&home, &[], &[("TARJAMA_CONFIG", &other)]),
        "/from-other"
    );
}

#[test]
fn the_model_and_the_language_follow_the_same_order() {
    let home = Home::new();
    let news = home.write("news.txt", "One man.\n");
    let args = ["translate", "--json", &news];
    let model = |variables: &[(&str, &str)], extra: &[&str]| {
        let args = [&args[..], extra].concat();
        let record = with(&home, &args, variables).exits(0).json();
        let name = record["models"]["translation"].as_str().unwrap();
        name.split('@').next().unwrap().to_owned()
    };
    let tiny = tiny("en-ar");
    home.write("tarjama.toml", format!("model = \"{tiny}\"\nthreads = 1\n"));
    assert_eq!(model(&[], &[]), "enar");
    assert_eq!(
        model(&[("TARJAMA_MODEL", "tarjama-enar")], &[]),
        "tarjama-enar"
    );
    let flag = ["--model", tiny.as_str()];
    assert_eq!(model(&[("TARJAMA_MODEL", "tarjama-enar")], &flag), "enar");

    // Three places name three targets; the model refuses each by its name.
    let refused = |variables: &[(&str, &str)], extra: &[&str]| {
        let args = [&args[..], &["--from", "en"], extra].concat();
        with(&home, &args, variables).exits(2).err
    };
    home.write("tarjama.toml", format!("model = \"{tiny}\"\nto = \"pt\"\n"));
    let said = refused(&[], &[]);
    assert!(
        said.contains("en-ar, not en-pt") && said.contains("--to ar"),
        "{said}"
    );
    let said = refused(&[("TARJAMA_TO", "fr")], &[]);
    assert!(said.contains("not en-fr"), "{said}");
    let said = refused(&[("TARJAMA_TO", "fr")], &["--to", "de"]);
    assert!(said.contains("not en-de"), "{said}");
}

#[test]
fn fails_when_settings_are_wrong_and_names_the_place() {
    let home = Home::new();
    home.write("tarjama.toml", "treads = 2\n");
    home.tarjama(&["doctor"])
        .exits(2)
        .says(&["tarjama.toml", "treads", "threads"]);
    home.write("tarjama.toml", "to = \"nowhere\"\n");
    home.tarjama_with(&["translate"], "One man.\n")
        .exits(2)
        .says(&["tarjama.toml", "nowhere"]);
    home.write("tarjama.toml", "");
    home.tarjama(&["--config", "none.toml", "doctor"])
        .exits(2)
        .says(&["none.toml"]);
    home.tarjama(&["--threads", "0", "doctor"])
        .exits(2)
        .says(&["--threads 1"]);
    with(&home, &["doctor"], &[("TARJAMA_THREADS", "x")])
        .exits(2)
        .says(&["--threads"]);
    home.tarjama_with(&["translate", "--kernels", "mmx"], "One man.\n")
        .exits(2)
        .says(&["mmx", "--kernels auto"]);
    // A variable that is set to nothing is not set.
    with(
        &home,
        &["doctor"],
        &[
            ("TARJAMA_CACHE", ""),
            ("TARJAMA_THREADS", ""),
            ("HF_HOME", ""),
        ],
    )
    .exits(0);
}

#[test]
fn kernels_can_be_forced() {
    let home = Home::new();
    let variables = [("TARJAMA_KERNELS", "portable")];
    let facts = with(&home, &["doctor", "--json"], &variables)
        .exits(0)
        .json();
    assert_eq!(facts["cpu"]["kernels"], "portable (forced)");
}
