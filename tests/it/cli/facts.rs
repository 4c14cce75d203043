//! `doctor`, `status`, `completions`, help, and what every command shares.

use serde_json::{Value, json};

use super::{Home, articles, keys};

#[test]
fn the_doctor_says_what_is_here_and_what_is_missing() {
    let home = Home::new();
    let text = home.tarjama(&["doctor"]).good();
    for part in [
        "cpu",
        "kernels",
        "threads",
        "cache",
        "embedded  tarjama-enar",
        "none installed",
        "models fetch firefox-en-ar firefox-ar-en",
        "31 MB a direction",
    ] {
        assert!(text.contains(part), "no {part:?} in:\n{text}");
    }
    let facts = home.tarjama(&["doctor", "--json"]).exits(0).json();
    assert_eq!(
        keys(&facts),
        [
            "version", "cpu", "threads", "cache", "embedded", "models", "serving", "missing",
            "offline"
        ]
    );
    assert!(facts["threads"]["default"].as_u64().is_some_and(|n| n > 0));
    assert_eq!(facts["models"], json!([]));
    assert_eq!(facts["missing"], json!(["firefox-en-ar", "firefox-ar-en"]));
    assert_eq!(facts["serving"]["en-ar"], "tarjama-enar (draft)");
    let cache = facts["cache"]["path"].as_str().unwrap();
    assert!(cache.starts_with(home.arg("").as_str()), "{cache}");
}

#[test]
fn the_status_counts_what_a_file_holds() {
    let home = Home::new();
    home.write("in.jsonl", format!("{}[]\n", articles(0..3)));
    home.tarjama(&["run", "in.jsonl", "-o", "out.jsonl"])
        .exits(3);
    let text = home.tarjama(&["status", "out.jsonl"]).good();
    for part in ["complete", "4 of 4", "1 invalid_json", "(translation)"] {
        assert!(text.contains(part), "no {part:?} in:\n{text}");
    }
    let facts = home
        .tarjama(&["status", "out.jsonl", "--json"])
        .exits(0)
        .json();
    assert_eq!(
        (&facts["complete"], &facts["articles"]),
        (&json!(true), &json!(4))
    );
    assert_eq!((&facts["done"], &facts["failed"]), (&json!(3), &json!(1)));
    assert!(facts["models"]["translation"].is_string());
    home.tarjama(&["status", "nowhere.jsonl"])
        .exits(2)
        .says(&["nowhere.jsonl"]);
}

#[test]
fn every_shell_gets_its_completions() {
    let home = Home::new();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = home.tarjama(&["completions", shell]).good();
        for word in ["tarjama", "translate", "retry-failed", "summarize"] {
            assert!(script.contains(word), "{shell}: no {word}");
        }
    }
    home.tarjama(&["completions", "cmd"])
        .exits(2)
        .says(&["bash"]);
}

#[test]
fn what_is_misspelt_is_named_with_what_was_meant() {
    let home = Home::new();
    for (args, meant) in [
        (&["translat"][..], "translate"),
        (
            &["run", "in", "-o", "out", "--retry-fail"],
            "--retry-failed",
        ),
        (&["translate", "--modle", "x"], "--model"),
        (&["translate", "--wrapped", "joined"], "join"),
        (&["models", "fetch", "firefox-en-arr"], "firefox-en-ar"),
        (&["models", "show", "opus-mt-en_ar"], "opus-mt-en-ar"),
    ] {
        home.tarjama(args).exits(2).says(&[meant]);
    }
    home.tarjama_with(&["translate", "--model", "tarjama-enr"], "x")
        .exits(2)
        .says(&["--model tarjama-enar"]);
    home.tarjama_with(&["translate", "--to", "xx1"], "x")
        .exits(2)
        .says(&["xx1", "en, ar"]);
}

#[test]
fn help_and_version_are_results() {
    let home = Home::new();
    let version = home.tarjama(&["--version"]).good();
    assert_eq!(
        version.trim(),
        concat!("tarjama ", env!("CARGO_PKG_VERSION"))
    );
    for command in [
        "run",
        "status",
        "merge",
        "models",
        "doctor",
        "translate",
        "summarize",
        "completions",
    ] {
        let help = home.tarjama(&[command, "--help"]).good();
        assert!(
            help.contains("Examples:"),
            "{command} has no examples:\n{help}"
        );
        assert!(!help.contains('\x1b'), "no colours in a pipe");
        assert!(
            help.lines().all(|line| line.chars().count() <= 100),
            "{help}"
        );
    }
    home.tarjama(&[]).exits(2).says(&["Usage"]);
}

/// Every example of every help parses: its words reach the command, whatever becomes of it.
#[test]
fn examples_of_the_help_are_commands() {
    let home = Home::new();
    for command in ["run", "status", "merge", "models", "translate", "summarize"] {
        let help = home.tarjama(&[command, "--help"]).good();
        let examples = help.split_once("Examples:").unwrap().1;
        for line in examples
            .lines()
            .filter(|l| l.trim_start().starts_with("tarjama "))
        {
            let line = line.trim().split("  ").next().unwrap();
            // A pipe's other side is not ours.
            let line = line.split(['|', '<', '>']).next().unwrap();
            let mut args: Vec<&str> = line.split_whitespace().skip(1).collect();
            args.push("--help");
            home.tarjama(&args).good();
            let known = home.tarjama(&args[..args.len() - 1]);
            for wrong in ["unexpected argument", "invalid value", "unrecognized"] {
                assert!(!known.err.contains(wrong), "{line}: {}", known.err);
            }
        }
    }
}

#[test]
fn quiet_is_quiet_and_verbose_is_not() {
    let home = Home::new();
    home.write("in.jsonl", articles(0..2));
    let quiet = home
        .tarjama(&["-q", "run", "in.jsonl", "-o", "a.jsonl"])
        .exits(0);
    assert_eq!((quiet.out.as_str(), quiet.err.as_str()), ("", ""));
    let plain = home.tarjama(&["run", "in.jsonl", "-o", "b.jsonl"]).exits(0);
    plain.says(&["model: ", "2 records"]);
    home.tarjama(&["-v", "run", "in.jsonl", "-o", "c.jsonl"])
        .exits(0);
    home.tarjama(&["-q", "-v", "doctor"])
        .exits(2)
        .says(&["--quiet", "--verbose"]);
    let failed = home.tarjama(&["-q", "translate", "nowhere.txt"]).exits(2);
    failed.says(&["nowhere.txt"]);
}

#[test]
fn errors_say_what_why_and_what_next_without_colour() {
    let home = Home::new();
    let ended = home.tarjama(&["translate", "nowhere.txt"]).exits(2);
    assert!(
        ended.err.starts_with("error: cannot read nowhere.txt"),
        "{}",
        ended.err
    );
    assert!(ended.err.contains("\n  try: "), "{}", ended.err);
    assert!(!ended.err.contains('\x1b'));
}

#[test]
fn a_broken_pipe_is_no_error() {
    let home = Home::new();
    let mut child = home.command(&["completions", "bash"]).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    let ended = super::ended(output);
    assert_eq!((ended.code, ended.err.as_str()), (Some(0), ""));
}

#[test]
fn every_json_of_facts_is_one_object() {
    let home = Home::new();
    for args in [
        &["doctor", "--json"][..],
        &["models", "list", "--json"],
        &["models", "show", "firefox-en-ar", "--json"],
        &["models", "verify", "--json"],
    ] {
        let facts: Value = home.tarjama(args).exits(0).json();
        assert!(facts.is_object(), "{args:?}");
    }
}
