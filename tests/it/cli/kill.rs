//! Runs that are stopped in the middle, and go on to the same bytes.

use std::process::Child;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::{Home, articles, ended, signal, wait_until};

/// Enough articles for a run of some seconds and many windows: each has a sentence for the model,
/// and a paragraph that is in the target language already, which costs next to nothing.
fn many() -> String {
    let kept = "اجتمع الوزراء في بغداد يوم الاثنين لبحث ملف المياه. ".repeat(8);
    articles(0..400).replace("Baghdad.", &format!("Baghdad.\\n\\n{}", kept.trim()))
}

/// The output of an undisturbed run.
fn whole() -> &'static [u8] {
    static WHOLE: OnceLock<Vec<u8>> = OnceLock::new();
    WHOLE.get_or_init(|| {
        let home = prepare();
        run(&home, &[]).exits(0);
        home.read("out.jsonl")
    })
}

fn prepare() -> Home {
    let home = Home::new();
    home.write("in.jsonl", many());
    home
}

const RUN: [&str; 8] = [
    "run",
    "in.jsonl",
    "-o",
    "out.jsonl",
    "--from",
    "en",
    "--to",
    "ar",
];

fn run(home: &Home, extra: &[&str]) -> super::Ended {
    home.tarjama(&[&RUN[..], extra].concat())
}

fn start(home: &Home) -> Child {
    home.command(&RUN).spawn().unwrap()
}

fn written(home: &Home) -> u64 {
    home.path("out.jsonl").metadata().map_or(0, |m| m.len())
}

fn finish(home: &Home) {
    run(home, &[]).exits(0);
    assert!(
        home.read("out.jsonl") == whole(),
        "the bytes of an undisturbed run"
    );
}

fn interrupted(by: Signal, code: i32, word: &str) {
    let home = prepare();
    let child = start(&home);
    wait_until("a record", || written(&home) > 0);
    signal(&child, by);
    let asked = Instant::now();
    let end = ended(child.wait_with_output().unwrap());
    end.exits(code).says(&[word, "the same command goes on"]);
    assert!(
        asked.elapsed() < Duration::from_secs(60),
        "{:?}",
        asked.elapsed()
    );
    assert!(
        written(&home) < whole().len() as u64,
        "stopped before the end"
    );
    let text = home.text("out.jsonl");
    assert!(text.ends_with('\n'), "whole lines");
    let status = home.tarjama(&["status", "out.jsonl"]).good();
    assert!(status.contains("unfinished"), "{status}");
    finish(&home);
}

#[test]
fn keeps_everything_after_sigint() {
    interrupted(Signal::INT, 130, "interrupted");
}

#[test]
fn keeps_everything_after_sigterm() {
    interrupted(Signal::TERM, 143, "terminated");
}

#[test]
fn keeps_everything_after_sigkill_at_any_moment() {
    let home = prepare();
    // Moments that differ between runs of this test, and are in no step with the program.
    let mut seed = u64::from(std::process::id());
    for _ in 0..4 {
        seed = seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let mut child = start(&home);
        std::thread::sleep(Duration::from_millis(50 + (seed >> 33) % 600));
        signal(&child, Signal::KILL);
        child.wait().unwrap();
    }
    finish(&home);
}

#[test]
fn fails_when_another_run_writes_the_file() {
    let home = prepare();
    let mut child = start(&home);
    wait_until("a record", || written(&home) > 0);
    run(&home, &[])
        .exits(4)
        .says(&["another process", "out.jsonl", "wait"]);
    signal(&child, Signal::KILL);
    child.wait().unwrap();
    // The lock died with its holder.
    run(&home, &["--limit", "1"]).exits(6);
}

#[test]
fn stops_at_its_deadline() {
    let home = prepare();
    let begun = Instant::now();
    run(&home, &["--deadline", "0s"])
        .exits(6)
        .says(&["--deadline", "goes on"]);
    assert!(begun.elapsed() < Duration::from_secs(60));
    finish(&home);
}
