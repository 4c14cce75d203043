//! The program with its embedded model, end to end. Binary alone: the library does not carry it.

use std::io::Write;
use std::process::{Command, Output, Stdio};

/// Runs `tarjama` with no settings of the machine around it.
fn tarjama(args: &[&str], input: &str) -> Output {
    let home = tempfile::tempdir().expect("a folder");
    let mut child = Command::new(env!("CARGO_BIN_EXE_tarjama"))
        .args(args)
        .env_clear()
        .env("HOME", home.path())
        .env("TARJAMA_CACHE", home.path().join("cache"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut stdin = child.stdin.take().expect("a pipe");
    let input = input.to_owned();
    let writer = std::thread::spawn(move || {
        // A program that stops early closes the pipe; its exit code says why.
        let _ = stdin.write_all(input.as_bytes());
    });
    let output = child.wait_with_output().expect("the program ends");
    writer.join().expect("written");
    output
}

fn stdout(output: &Output) -> String {
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{errors}");
    String::from_utf8(output.stdout.clone()).expect("UTF-8")
}

struct Golden {
    direction: String,
    source: String,
    prompt_ids: Vec<u64>,
    ids: Vec<u64>,
    text: String,
    margin: f64,
    logprob: f64,
}

fn goldens() -> Vec<Golden> {
    let ids = |v: &serde_json::Value| -> Vec<u64> {
        v.as_array()
            .expect("ids")
            .iter()
            .filter_map(serde_json::Value::as_u64)
            .collect()
    };
    include_str!("../../models/embedded/goldens.jsonl")
        .lines()
        .map(|line| {
            let v: serde_json::Value = serde_json::from_str(line).expect("JSON");
            let text = |key: &str| v[key].as_str().expect("text").to_owned();
            Golden {
                direction: text("direction"),
                source: text("source"),
                prompt_ids: ids(&v["prompt_ids"]),
                ids: ids(&v["ids"]),
                text: text("text"),
                margin: v["margin"].as_f64().expect("margin"),
                logprob: v["logprob"].as_f64().expect("logprob"),
            }
        })
        .collect()
}

/// The search of the goldens.
const GREEDY: [&str; 4] = ["--beam", "1", "--no-repeat-ngram", "0"];

/// What the program makes of some goldens' sources, as (source ids, ids, text, score).
fn answers(goldens: &[&Golden], extra: &[&str]) -> Vec<serde_json::Value> {
    let (from, to) = goldens[0].direction.split_once('-').expect("a direction");
    let sources: Vec<&str> = goldens.iter().map(|g| g.source.as_str()).collect();
    let mut args = vec![
        "-q",
        "translate",
        "--lines",
        "--json",
        "--from",
        from,
        "--to",
        to,
    ];
    args.extend(extra);
    let out = stdout(&tarjama(&args, &(sources.join("\n") + "\n")));
    let lines: Vec<_> = out
        .lines()
        .map(|l| serde_json::from_str(l).expect("JSON"))
        .collect();
    assert_eq!(lines.len(), goldens.len());
    lines
}

fn ids(value: &serde_json::Value) -> Vec<u64> {
    value
        .as_array()
        .expect("ids")
        .iter()
        .filter_map(serde_json::Value::as_u64)
        .collect()
}

/// In float arithmetic the ids are the reference's wherever its choice was clear.
fn float_equals_the_goldens(every: usize) {
    for direction in ["en-ar", "ar-en"] {
        let all = goldens();
        let some: Vec<&Golden> = all
            .iter()
            .filter(|g| g.direction == direction)
            .step_by(every)
            .collect();
        for (golden, answer) in some.iter().zip(answers(
            &some,
            &[&GREEDY[..], &["--compute-type", "float32"]].concat(),
        )) {
            assert_eq!(
                ids(&answer["source_ids"]),
                golden.prompt_ids,
                "{}",
                golden.source
            );
            let best = &answer["hypotheses"][0];
            let same = ids(&best["ids"]) == golden.ids;
            assert!(
                same || golden.margin <= 0.02,
                "{}: {}",
                golden.source,
                best["text"]
            );
            if same {
                assert_eq!(best["text"], golden.text);
                let score = best["score"].as_f64().expect("score");
                assert!(
                    (score - golden.logprob).abs() < 1e-4,
                    "{score} {}",
                    golden.logprob
                );
            }
        }
    }
}

#[test]
fn float_ids_equal_the_reference_on_a_sample() {
    float_equals_the_goldens(21);
}

#[test]
fn float_ids_equal_the_reference_on_all_goldens() {
    if std::env::var_os("TARJAMA_SHARED").is_some() {
        float_equals_the_goldens(1);
    }
}

#[test]
fn int8_keeps_the_first_token_of_nine_lines_in_ten() {
    let all = goldens();
    for direction in ["en-ar", "ar-en"] {
        let some: Vec<&Golden> = all
            .iter()
            .filter(|g| g.direction == direction)
            .step_by(3)
            .collect();
        let answers = answers(&some, &GREEDY);
        let kept = some
            .iter()
            .zip(&answers)
            .filter(|(g, a)| ids(&a["hypotheses"][0]["ids"]).first() == g.ids.first())
            .count();
        assert!(
            kept * 10 >= some.len() * 9,
            "{direction}: {kept} of {}",
            some.len()
        );
    }
}

#[test]
fn a_line_does_not_depend_on_its_neighbours_threads_or_kernels() {
    let all = goldens();
    let some: Vec<&Golden> = all.iter().take(6).collect();
    let one = answers(&some, &["--threads", "1", "--batch-tokens", "1"]);
    assert_eq!(
        one,
        answers(&some, &["--threads", "2", "--batch-tokens", "4096"])
    );
    assert_eq!(
        one[..2],
        answers(&some[..2], &["--kernels", "portable"])[..]
    );
}

#[test]
fn beams_are_sorted_and_as_many_as_asked() {
    let out = stdout(&tarjama(
        &[
            "-q",
            "translate",
            "--lines",
            "--json",
            "--from",
            "en",
            "--to",
            "ar",
            "--beam",
            "4",
            "--nbest",
            "3",
        ],
        "The ministers met in Baghdad.\n",
    ));
    let line: serde_json::Value = serde_json::from_str(out.trim()).expect("JSON");
    let scores: Vec<f64> = line["hypotheses"]
        .as_array()
        .expect("hypotheses")
        .iter()
        .filter_map(|h| h["score"].as_f64())
        .collect();
    assert_eq!(scores.len(), 3);
    assert!(scores.windows(2).all(|w| w[0] >= w[1]), "{scores:?}");
}

#[test]
fn empty_lines_stay_empty() {
    let out = stdout(&tarjama(
        &["-q", "translate", "--lines"],
        "\nThe minister spoke.\n\n",
    ));
    let lines: Vec<&str> = out.split('\n').collect();
    assert_eq!((lines.len(), lines[0], lines[2]), (4, "", ""));
    assert!(
        lines[1]
            .chars()
            .any(|c| ('\u{621}'..='\u{64a}').contains(&c)),
        "{}",
        lines[1]
    );
}

#[test]
fn an_article_keeps_its_blocks_header_and_bullets() {
    let article = " date 2024-07-22 Shafaq News/ The ministers met in Baghdad.\n\nThey agreed:\n\n- To meet again.\n\n- To open an office.\n";
    let out = stdout(&tarjama(&["-q", "translate", "-"], article));
    assert!(out.starts_with(" 2024-07-22 شفق نيوز/ "), "{out}");
    let shape: Vec<bool> = out.lines().map(|l| l.starts_with("- ")).collect();
    assert_eq!(
        shape,
        [false, false, false, false, true, false, true],
        "{out}"
    );
}

#[test]
fn the_draft_is_called_a_draft() {
    let output = tarjama(
        &["translate", "--json", "-"],
        "The ministers met in Baghdad.\n",
    );
    assert!(String::from_utf8_lossy(&output.stderr).contains("DRAFT"));
    let record: serde_json::Value = serde_json::from_str(&stdout(&output)).expect("JSON");
    assert_eq!(record["schema"], "tarjama/1");
    assert!(
        record["flags"]
            .as_array()
            .expect("flags")
            .iter()
            .any(|f| f == "draft_model")
    );
}

#[test]
fn a_summary_comes_in_both_languages() {
    let out = stdout(&tarjama(
        &["-q", "summarize", "--sentences", "1", "-"],
        include_str!("../../samples/school-en.md"),
    ));
    let lines: Vec<&str> = out.lines().collect();
    assert_eq!(lines.len(), 2, "{out}");
    assert!(
        lines[0].starts_with("en: ") && lines[1].starts_with("ar: "),
        "{out}"
    );
}

#[test]
fn a_summary_model_that_writes_nonsense_is_not_believed() {
    // Random weights, of the layout that summary models have.
    let model = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/tiny_llama.gguf");
    let school = include_str!("../../samples/school-en.md");
    let args = [
        "summarize",
        "--json",
        "--sentences",
        "1",
        "--summary-model",
        model,
        "-",
    ];
    let output = tarjama(&args, school);
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(errors.contains("summary model: tiny_llama@"), "{errors}");
    assert!(
        errors.contains("sentences of the article were chosen instead"),
        "{errors}"
    );
    let record: serde_json::Value = serde_json::from_str(&stdout(&output)).expect("JSON");
    assert_eq!(record["models"]["summary"], "extractive@1");
    let summary = record["summary"]["en"].as_str().expect("a summary");
    assert!(school.contains(summary), "{summary}");
}

#[test]
fn fails_when_a_summary_model_is_asked_to_translate() {
    let output = tarjama(&["translate", "--model", "smollm2-135m", "-"], "Hello.\n");
    assert_eq!(output.status.code(), Some(2));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(errors.contains("--summary-model smollm2-135m"), "{errors}");
    let output = tarjama(&["summarize", "--model", "smollm2-135m", "-"], "Hello.\n");
    assert_eq!(output.status.code(), Some(2));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(errors.contains("models fetch smollm2-135m"), "{errors}");
}

#[test]
fn fails_when_the_input_is_missing_with_a_way_out() {
    let output = tarjama(&["translate", "no-such-file.txt"], "");
    assert_eq!(output.status.code(), Some(2));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(
        errors.contains("no-such-file.txt") && errors.contains("try"),
        "{errors}"
    );
}

#[test]
fn fails_when_the_model_is_unknown_and_names_a_near_one() {
    let output = tarjama(&["translate", "--model", "firefox-en-arr", "-"], "Hello.\n");
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("firefox-en-ar"));
}
