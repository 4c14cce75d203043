//! The one question: whether to fetch the recommended model when only the draft would serve.
//!
//! Asked on a pseudo-terminal that `script` (of util-linux) makes; without it these tests pass.

use std::io::Write as _;
use std::process::{Command, Stdio};

use super::Home;

/// Types `answer` at `tarjama ARGS` on a terminal; what the terminal showed.
fn on_a_terminal(home: &Home, args: &str, answer: &str) -> Option<String> {
    let line = format!("{} {args}", env!("CARGO_BIN_EXE_tarjama"));
    let mut child = Command::new("script")
        .args(["-qec", &line, "/dev/null"])
        .env_clear()
        .env("PATH", std::env::var_os("PATH")?)
        .env("HOME", home.path(""))
        // Nothing can be fetched from here, and that is known at once.
        .env("https_proxy", "http://127.0.0.1:9")
        .current_dir(home.path(""))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .ok()?;
    child.stdin.take()?.write_all(answer.as_bytes()).ok()?;
    let output = child.wait_with_output().ok()?;
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}

const QUESTION: &str = "Fetch";

#[test]
fn asks_once_and_keeps_a_no() {
    let home = Home::new();
    home.write("news.txt", "One man.\n");
    let Some(shown) = on_a_terminal(&home, "translate news.txt", "n\n") else {
        return;
    };
    for part in [QUESTION, "firefox-en-ar", "31 MB", "DRAFT", "models fetch"] {
        assert!(shown.contains(part), "no {part:?} in:\n{shown}");
    }
    assert!(
        home.text(".local/state/tarjama/answers.toml")
            .contains("fetch-recommended = false")
    );
    let again = on_a_terminal(&home, "translate news.txt", "").unwrap();
    assert!(
        !again.contains(QUESTION) && again.contains("DRAFT"),
        "{again}"
    );
}

#[test]
fn keeps_a_yes_and_goes_on_when_the_fetch_fails() {
    let home = Home::new();
    home.write("news.txt", "One man.\n");
    let Some(shown) = on_a_terminal(&home, "translate news.txt", "y\n") else {
        return;
    };
    for part in [QUESTION, "could not fetch firefox-en-ar", "DRAFT"] {
        assert!(shown.contains(part), "no {part:?} in:\n{shown}");
    }
    assert!(
        home.text(".local/state/tarjama/answers.toml")
            .contains("fetch-recommended = true")
    );
    let again = on_a_terminal(&home, "translate news.txt", "").unwrap();
    assert!(!again.contains(QUESTION), "{again}");
    assert!(again.contains("could not fetch firefox-en-ar"), "{again}");
}

#[test]
fn asks_nothing_of_programs() {
    let home = Home::new();
    home.write("news.txt", "One man.\n");
    for args in [
        "-q translate news.txt",
        "translate --json news.txt",
        "translate --model tarjama-enar news.txt",
        "translate news.txt </dev/null",
        "translate news.txt 2>err.txt",
        "translate --fetch news.txt",
    ] {
        let Some(shown) = on_a_terminal(&home, args, "y\n") else {
            return;
        };
        assert!(!shown.contains(QUESTION), "{args}: {shown}");
    }
    assert!(!home.path(".local").exists());
}
