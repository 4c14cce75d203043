//! Runs with a deterministic stand-in for the models: what is tested is the machinery.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use proptest::prelude::*;

use super::*;
use crate::article::Article;
use crate::article::jsonl::FieldMap;
use crate::text::Lang;
use crate::translate::{ArticleError, Counts, Flag, TranslateError, TranslatedArticle};

mod refused;

fn process(articles: &[Article]) -> Vec<Result<Processed, ArticleError>> {
    articles
        .iter()
        .map(|article| {
            let text = article.text();
            assert!(!text.contains("PANIC"), "asked to");
            if text.contains("FAIL") {
                let (model, message) = ("fake".into(), "asked to".into());
                return Err(TranslateError::Engine { model, message }.into());
            }
            let words = text.split_whitespace().count();
            let translated = TranslatedArticle {
                lang: Lang::EN,
                target_lang: Lang::AR,
                title: None,
                text: text.to_uppercase(),
                segments: Vec::new(),
                flags: vec![Flag::DraftModel],
                counts: Counts {
                    source_words: words,
                    ..Counts::default()
                },
                model: "fake@1".into(),
            };
            let summary = vec![("en".to_owned(), text.chars().take(9).collect())];
            Ok(Processed {
                translated,
                summary,
                flags: vec![],
                summary_model: Some("x@1".into()),
            })
        })
        .collect()
}

struct Case {
    dir: tempfile::TempDir,
    paths: Vec<PathBuf>,
}

impl Case {
    fn new(lines: &[u8]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("in.jsonl");
        write(&path, lines);
        Self {
            dir,
            paths: vec![path],
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    fn run(&self, output: &str, change: impl FnOnce(&mut Job<'_>)) -> Result<Outcome, RunError> {
        self.run_with(output, &process, change)
    }

    fn run_with(
        &self,
        output: &str,
        process: &Process<'_>,
        change: impl FnOnce(&mut Job<'_>),
    ) -> Result<Outcome, RunError> {
        let output = self.path(output);
        let mut progress = |_: &Snapshot| ();
        let mut job = Job {
            input: Input {
                paths: self.paths.clone(),
                max_bytes: 4096,
                fields: FieldMap::default(),
                output: Some(output.clone()),
                text_dir: None,
            },
            output: Output::File(output),
            mode: Mode::Continue,
            options: BTreeMap::new(),
            models: BTreeMap::new(),
            shard: None,
            limit: None,
            segments: SegmentDetail::All,
            text_dir: None,
            kernels: Some("portable".into()),
            lanes: 2,
            process,
            stop: &|| None,
            progress: &mut progress,
        };
        change(&mut job);
        run(job)
    }
}

fn write(path: &Path, bytes: &[u8]) {
    crate::disk::atomic::write_atomic(path, bytes).unwrap();
}

/// Good lines with one of every kind of bad line between them.
fn mixed(good: usize) -> Vec<u8> {
    let mut out = Vec::new();
    for i in 0..good {
        match i % 11 {
            1 => out.extend_from_slice(b"{broken\n"),
            2 => out.extend_from_slice(b"{\"text\":\"\xff\xfe\"}\n"),
            3 => out.extend_from_slice(b"{\"title\":\"no text\"}\n"),
            4 => {
                out.extend_from_slice(format!("{{\"text\":\"{}\"}}\n", "x".repeat(5000)).as_bytes())
            }
            5 => out.extend_from_slice(b"{\"id\":\"same\",\"text\":\"once\"}\n"),
            6 => out.extend_from_slice(b"\n{\"text\":\"wire copy\"}\n"),
            7 => out.extend_from_slice(b"{\"text\":\"FAIL this one\"}\n"),
            _ => {}
        }
        out.extend_from_slice(
            format!("{{\"id\":\"a{i}\",\"text\":\"text {i} خبر\"}}\n").as_bytes(),
        );
    }
    out
}

#[test]
fn keeps_every_line_accounted_for() {
    let case = Case::new(&mixed(110));
    let outcome = case.run("out.jsonl", |_| ()).unwrap();
    // 110 good, 10 wire copies, the first `same`.
    assert_eq!((outcome.counts.done, outcome.counts.failed), (121, 59));
    let kinds: Vec<_> = outcome
        .counts
        .errors
        .iter()
        .map(|(k, n)| (k.as_str(), *n))
        .collect();
    let expected = [
        ("duplicate_id", 9),
        ("engine_failed", 10),
        ("invalid_json", 10),
        ("invalid_utf8", 10),
        ("no_text", 10),
        ("too_large", 10),
    ];
    assert_eq!(kinds, expected);
    let out = case.read("out.jsonl");
    assert_eq!(out.lines().count(), 180);
    for (index, line) in out.lines().enumerate() {
        assert!(line.contains(&format!("\"index\":{index},")), "{line}");
    }
    let status = status(&case.path("out.jsonl")).unwrap();
    assert!(status.complete);
    assert_eq!(status.articles, Some(180));
    assert_eq!(
        fs::read_dir(case.dir.path()).unwrap().count(),
        3,
        "files are left behind"
    );
}

#[test]
fn keeps_one_error_record_of_a_repeated_id_through_updates() {
    let case = Case::new(b"{\"id\":\"a\",\"text\":\"one\"}\n{\"id\":\"a\",\"text\":\"two\"}\n");
    case.run("out.jsonl", |_| ()).unwrap();
    let first = case.read("out.jsonl");
    for _ in 0..2 {
        let outcome = case
            .run("out.jsonl", |job| job.mode = Mode::Update)
            .unwrap();
        assert_eq!(outcome.written, 0);
    }
    assert_eq!(case.read("out.jsonl"), first);
}

#[test]
fn keeps_the_form_of_records() {
    let case = Case::new(b"{\"id\":\"a\",\"text\":\"good news\"}\n{broken\n");
    case.run("out.jsonl", |_| ()).unwrap();
    let out = case
        .read("out.jsonl")
        .replace(&case.paths[0].display().to_string(), "IN");
    let (good, bad) = out.split_once('\n').unwrap();
    assert_eq!(
        good,
        concat!(
            r#"{"schema":"tarjama/1","id":"a","index":0,"source":{"path":"IN","line":1},"#,
            r#""lang":"en","target_lang":"ar","date":null,"agency":null,"title":null,"#,
            r#""text":"good news","translation":{"title":null,"text":"GOOD NEWS","segments":[]},"#,
            r#""summary":{"en":"good news"},"models":{"translation":"fake@1","summary":"x@1"},"#,
            r#""flags":["draft_model"],"counts":{"segments":0,"source_words":2,"#,
            r#""source_tokens":0,"target_tokens":0},"extra":{},"error":null}"#
        )
    );
    assert!(bad.starts_with(r#"{"schema":"tarjama/1","id":""#), "{bad}");
    assert!(bad.contains(
        r#","index":1,"source":{"path":"IN","line":2},"error":{"kind":"invalid_json","message":"#
    ));
}

#[test]
fn keeps_the_bytes_with_one_lane_and_in_shards() {
    let case = Case::new(&mixed(70));
    case.run("out.jsonl", |_| ()).unwrap();
    case.run("one.jsonl", |job| job.lanes = 1).unwrap();
    assert_eq!(case.read("out.jsonl"), case.read("one.jsonl"));
    for index in 0..3 {
        let name = format!("s{index}.jsonl");
        case.run(&name, |job| job.shard = Some(Shard { index, count: 3 }))
            .unwrap();
    }
    let shards: Vec<_> = [2, 0, 1]
        .iter()
        .map(|i| case.path(&format!("s{i}.jsonl")))
        .collect();
    let error = merge(&shards[..2], &case.path("m.jsonl"), false).unwrap_err();
    assert_eq!(error.to_string(), "shards are missing: 1/3");
    assert!(!case.path("m.jsonl").exists());
    merge(&shards, &case.path("m.jsonl"), false).unwrap();
    assert_eq!(case.read("out.jsonl"), case.read("m.jsonl"));
    // The merged file is a finished run of its own.
    assert_eq!(case.run("m.jsonl", |_| ()).unwrap().written, 0);
}

#[test]
fn fails_when_a_shard_has_lost_a_record() {
    let case = Case::new(&mixed(20));
    let mut shards = Vec::new();
    for index in 0..2 {
        let name = format!("s{index}.jsonl");
        case.run(&name, |job| job.shard = Some(Shard { index, count: 2 }))
            .unwrap();
        shards.push(case.path(&name));
    }
    let all = case.read("s1.jsonl");
    let (first, rest) = all.split_once('\n').unwrap();
    write(&shards[1], rest.as_bytes());
    assert!(merge(&shards, &case.path("m.jsonl"), false).is_err());
    write(&shards[1], format!("{all}{first}\n").as_bytes());
    assert!(merge(&shards, &case.path("m.jsonl"), false).is_err());
}

#[test]
fn keeps_the_run_going_when_a_model_panics() {
    let case = Case::new(b"{\"text\":\"a\"}\n{\"text\":\"PANIC\"}\n{\"text\":\"b\"}\n");
    let outcome = case.run("out.jsonl", |_| ()).unwrap();
    assert_eq!((outcome.counts.done, outcome.counts.failed), (2, 1));
}

#[test]
fn keeps_what_a_limit_or_a_signal_left() {
    let case = Case::new(&mixed(50));
    case.run("whole.jsonl", |_| ()).unwrap();
    let outcome = case.run("out.jsonl", |job| job.limit = Some(7)).unwrap();
    assert_eq!((outcome.stopped, outcome.written), (Some(Stop::Limit), 7));
    assert!(!status(&case.path("out.jsonl")).unwrap().complete);
    let terminated = |job: &mut Job<'_>| job.stop = &|| Some(Stop::Terminated);
    let outcome = case.run("out.jsonl", terminated).unwrap();
    assert_eq!(
        (outcome.stopped, outcome.counts.records()),
        (Some(Stop::Terminated), 7)
    );
    case.run("out.jsonl", |_| ()).unwrap();
    assert_eq!(case.read("whole.jsonl"), case.read("out.jsonl"));
}

#[test]
fn fails_when_the_run_is_another_one() {
    let case = Case::new(&mixed(5));
    case.run("out.jsonl", |job| {
        drop(job.options.insert("to".into(), "ar".into()))
    })
    .unwrap();
    let error = case
        .run("out.jsonl", |job| {
            drop(job.options.insert("to".into(), "pt".into()))
        })
        .unwrap_err();
    assert!(
        error.to_string().ends_with("option --to was ar, is pt"),
        "{error}"
    );
    write(&case.path("foreign.jsonl"), b"mine\n");
    assert!(matches!(
        case.run("foreign.jsonl", |_| ()),
        Err(RunError::Foreign(_))
    ));
    assert_eq!(case.read("foreign.jsonl"), "mine\n");
    let overwrite = |job: &mut Job<'_>| job.mode = Mode::Overwrite;
    assert_eq!(case.run("out.jsonl", overwrite).unwrap().counts.done, 5);
    let grown = [mixed(5), b"{\"text\":\"new\"}\n".to_vec()].concat();
    write(&case.paths[0], &grown);
    let error = case.run("out.jsonl", |_| ()).unwrap_err();
    assert!(
        error.to_string().contains("in.jsonl was 1 files"),
        "{error}"
    );
}

#[test]
fn keeps_good_records_when_failed_ones_are_retried() {
    let case = Case::new(&mixed(40));
    case.run("whole.jsonl", |_| ()).unwrap();
    let broken = |articles: &[Article]| {
        process(articles)
            .into_iter()
            .zip(articles)
            .map(|(result, article)| {
                if article.text().contains('7') {
                    Err(ArticleError::NoText)
                } else {
                    result
                }
            })
            .collect()
    };
    let first = case.run_with("out.jsonl", &broken, |_| ()).unwrap();
    let retry = |job: &mut Job<'_>| job.mode = Mode::RetryFailed;
    let second = case.run("out.jsonl", retry).unwrap();
    assert_eq!(second.written, first.counts.failed);
    assert_eq!(case.read("whole.jsonl"), case.read("out.jsonl"));
    assert_eq!(
        second.counts,
        status(&case.path("out.jsonl")).unwrap().counts
    );
}

#[test]
fn keeps_the_order_of_first_sight_in_updates() {
    let mut case = Case::new(b"");
    let folder = case.path("news");
    fs::create_dir(&folder).unwrap();
    case.paths = vec![folder.clone()];
    write(&folder.join("b.txt"), b"second in order, first seen");
    write(&folder.join("c.txt"), b"FAIL at first");
    case.run("out.jsonl", |_| ()).unwrap();
    write(&folder.join("a.txt"), b"new");
    let update = |job: &mut Job<'_>| job.mode = Mode::Update;
    let outcome = case.run("out.jsonl", update).unwrap();
    assert_eq!((outcome.counts.done, outcome.counts.failed), (2, 1));
    let texts: Vec<_> = case
        .read("out.jsonl")
        .lines()
        .map(|l| l.contains("NEW"))
        .collect();
    assert_eq!(texts, [false, false, true]);
    let before = case.read("out.jsonl");
    case.run("out.jsonl", update).unwrap();
    assert_eq!(case.read("out.jsonl"), before);
    assert!(status(&case.path("out.jsonl")).unwrap().complete);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn keeps_the_bytes_when_killed_anywhere(cuts in prop::collection::vec(0.0..1.0_f64, 1..4),
                                            zeros in 0..40_usize, lanes in 1..3_usize) {
        let case = Case::new(&mixed(40));
        case.run("whole.jsonl", |_| ()).unwrap();
        let whole = case.read("whole.jsonl").into_bytes();
        case.run("out.jsonl", |job| job.limit = Some(20)).unwrap();
        for cut in cuts {
            // What a kill leaves: any prefix; what a power loss leaves: also blocks of zeros.
            let end = (whole.len() as f64 * cut) as usize;
            let mut torn = whole[..end].to_vec();
            torn.resize(end + zeros, 0);
            fs::File::create(case.path("out.jsonl")).unwrap();
            write(&case.path("out.jsonl"), &torn);
            let outcome = case.run("out.jsonl", |job| job.lanes = lanes).unwrap();
            prop_assert_eq!(outcome.stopped, None);
            prop_assert!(whole == case.read("out.jsonl").into_bytes());
        }
    }
}
