//! What becomes of an output that is there: go on, refuse, start again, update, retry.

use super::{Home, articles};

fn run(home: &Home, extra: &[&str]) -> super::Ended {
    let mut args = vec!["run", "in.jsonl", "-o", "out.jsonl"];
    args.extend(extra);
    home.tarjama(&args)
}

#[test]
fn keeps_what_is_written_and_goes_on_after_a_limit() {
    let home = Home::new();
    home.write("in.jsonl", articles(0..9));
    home.tarjama(&["run", "in.jsonl", "-o", "whole.jsonl"])
        .good();
    let mut had = String::new();
    for n in 1..=4 {
        run(&home, &["--limit", "2"])
            .exits(6)
            .says(&["--limit", "goes on"]);
        let now = home.text("out.jsonl");
        assert!(now.starts_with(&had) && now.lines().count() == 2 * n);
        had = now;
        let status = home
            .tarjama(&["status", "out.jsonl", "--json"])
            .exits(0)
            .json();
        assert_eq!(
            (status["complete"].as_bool(), status["done"].as_u64()),
            (Some(false), Some(2 * n as u64))
        );
    }
    run(&home, &["--limit", "2"]).exits(0);
    assert_eq!(home.text("out.jsonl"), home.text("whole.jsonl"));
    // A finished run adds nothing.
    run(&home, &[]).exits(0);
    assert_eq!(home.text("out.jsonl"), home.text("whole.jsonl"));
}

#[test]
fn keeps_no_torn_line() {
    let home = Home::new();
    home.write("in.jsonl", articles(0..5));
    home.tarjama(&["run", "in.jsonl", "-o", "whole.jsonl"])
        .good();
    let whole = home.text("whole.jsonl");
    run(&home, &["--limit", "3"]).exits(6);
    let three = home.text("out.jsonl");
    for torn in [
        three[..three.len() - 1].to_owned(),
        three[..three.len() - 40].to_owned(),
        format!("{three}{{\"schema\":\"tarjama/1\",\"id\":"),
        format!("{three}\0\0\0\0"),
    ] {
        home.write("out.jsonl", &torn);
        run(&home, &[]).exits(0);
        assert_eq!(home.text("out.jsonl"), whole);
        run(&home, &["--overwrite", "--limit", "3"]).exits(6);
    }
    home.write("out.jsonl", format!("{three}{{\"torn"));
    let status = home.tarjama(&["status", "out.jsonl"]).good();
    assert!(
        status.contains("torn") && status.contains("6 bytes"),
        "{status}"
    );
}

#[test]
fn fails_when_an_option_model_or_input_differs_and_names_it() {
    let home = Home::new();
    home.write("in.jsonl", articles(0..3));
    run(&home, &[]).exits(0);
    let before = home.text("out.jsonl");
    for (extra, wanted) in [
        (&["--to", "ar"][..], "--to was the other language, is ar"),
        (&["--sentences", "2"], "--sentences was 3, is 2"),
        (&["--summaries", "none"], "--summaries was en,ar, is none"),
        (&["--segments", "none"], "--segments was all, is none"),
        (&["--shard", "0/2"], "--shard was none, is 0/2"),
        (&["--model", "tarjama-enar"], "translation model was"),
    ] {
        run(&home, extra)
            .exits(2)
            .says(&[wanted, "out.jsonl", "--overwrite", "--update"]);
    }
    home.tarjama(&["run", "in.jsonl", "in.jsonl", "-o", "out.jsonl"])
        .exits(2)
        .says(&["input was in.jsonl, is in.jsonl in.jsonl"]);
    // What changes no bytes is no difference.
    run(
        &home,
        &[
            "--threads",
            "1",
            "--batch-tokens",
            "64",
            "--progress",
            "none",
        ],
    )
    .exits(0);
    home.write("in.jsonl", articles(0..4));
    run(&home, &[])
        .exits(2)
        .says(&["in.jsonl was 1 files", "bytes"]);
    assert_eq!(home.text("out.jsonl"), before);
    home.write("other.jsonl", "not of a run\n");
    home.tarjama(&["run", "in.jsonl", "-o", "other.jsonl"])
        .exits(2)
        .says(&["other.jsonl", "no run manifest", "--overwrite"]);
    assert_eq!(home.text("other.jsonl"), "not of a run\n");
}

#[test]
fn starts_again_where_that_is_asked() {
    let home = Home::new();
    home.write("in.jsonl", articles(0..3));
    run(&home, &["--summaries", "none"]).exits(0);
    run(&home, &["--overwrite"]).exits(0);
    home.tarjama(&["run", "in.jsonl", "-o", "whole.jsonl"])
        .good();
    assert_eq!(home.text("out.jsonl"), home.text("whole.jsonl"));
    home.tarjama(&[
        "run",
        "in.jsonl",
        "-o",
        "out.jsonl",
        "--overwrite",
        "--update",
    ])
    .exits(2)
    .says(&["--update"]);
}

#[test]
fn keeps_good_records_and_appends_what_is_new() {
    let home = Home::new();
    home.write("in/1.jsonl", articles(0..3));
    let update = ["run", "in", "-o", "out.jsonl", "--update"];
    home.tarjama(&update).exits(0);
    let first = home.text("out.jsonl");
    // The second night's file sorts before the first's.
    home.write("in/0.jsonl", articles(3..5));
    home.tarjama(&update).exits(0);
    let second = home.text("out.jsonl");
    assert!(
        second.starts_with(&first),
        "kept in the order of first sight"
    );
    let ids: Vec<String> = home
        .records("out.jsonl")
        .iter()
        .map(|r| r["id"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(ids, ["a0", "a1", "a2", "a3", "a4"]);
    // A text that changed is done again, in its place.
    home.write(
        "in/1.jsonl",
        articles(0..3).replace("Minister 1 ", "President 1 "),
    );
    home.tarjama(&update).exits(0);
    let third = home.records("out.jsonl");
    assert!(third[1]["text"].as_str().unwrap().starts_with("President"));
    assert_eq!(third.len(), 5);
    home.tarjama(&update).exits(0);
    assert_eq!(home.records("out.jsonl"), third);
}

#[test]
fn keeps_error_records_that_fail_again_in_their_places() {
    let home = Home::new();
    home.write("in.jsonl", format!("[]\n{}[]\n", articles(0..2)));
    run(&home, &[]).exits(3);
    let before = home.text("out.jsonl");
    run(&home, &["--retry-failed"]).exits(3);
    assert_eq!(home.text("out.jsonl"), before);
    assert!(!home.path("out.jsonl.redo").exists());
    // An unfinished run is finished by a retry.
    run(&home, &["--overwrite", "--limit", "2"]).exits(6);
    run(&home, &["--retry-failed"]).exits(3);
    assert_eq!(home.text("out.jsonl"), before);
}
