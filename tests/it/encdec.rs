//! Encoder-decoder models against goldens of Hugging Face's transformers.
//!
//! `tests/data/encdec` holds one tiny checkpoint a family (its README says how they are made);
//! `TARJAMA_GOLDENS` may name a folder of more, of other seeds.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

/// Folders with a `golden.json`, sorted.
fn goldens() -> Vec<PathBuf> {
    let mut roots = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/encdec")];
    roots.extend(std::env::var_os("TARJAMA_GOLDENS").map(PathBuf::from));
    let mut found = Vec::new();
    for root in roots {
        for entry in std::fs::read_dir(root).unwrap() {
            let dir = entry.unwrap().path();
            if dir.join("golden.json").is_file() {
                found.push(dir);
            }
        }
    }
    found.sort();
    assert!(!found.is_empty());
    found
}

fn golden(dir: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(dir.join("golden.json")).unwrap()).unwrap()
}

/// Lines of `tarjama translate --lines --json`.
fn translate(dir: &Path, flags: &[&str], texts: &[&str]) -> Vec<Value> {
    let mut child = Command::new(env!("CARGO_BIN_EXE_tarjama"))
        .args(["translate", "--lines", "--json", "--model"])
        .arg(dir)
        .args(flags)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(texts.join("\n").as_bytes()).unwrap();
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {stderr}", dir.display());
    let stdout = String::from_utf8(output.stdout).unwrap();
    stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// What differs between a golden and the program's answer.
fn difference(case: &Value, search: &str, line: &Value) -> Option<String> {
    let (wanted, got) = (&case[search], &line["hypotheses"][0]);
    if case["source_ids"] != line["source_ids"] {
        return Some(format!(
            "source ids\n  wanted {}\n  got    {}",
            case["source_ids"], line["source_ids"]
        ));
    }
    for field in ["ids", "text"] {
        if wanted[field] != got[field] {
            return Some(format!(
                "{search} {field}\n  wanted {}\n  got    {}",
                wanted[field], got[field]
            ));
        }
    }
    let gap = (wanted["score"].as_f64().unwrap() - got["score"].as_f64().unwrap()).abs();
    (gap > 1e-4).then(|| format!("{search} score: {} and {}", wanted["score"], got["score"]))
}

#[test]
fn every_family_is_hugging_faces_token_for_token() {
    let mut report = String::new();
    let mut compared = 0;
    for dir in goldens() {
        let golden = golden(&dir);
        let flags: Vec<&str> = golden["flags"]
            .as_array()
            .unwrap()
            .iter()
            .map(|f| f.as_str().unwrap())
            .collect();
        let cases = golden["cases"].as_array().unwrap();
        let texts: Vec<&str> = cases.iter().map(|c| c["text"].as_str().unwrap()).collect();
        for (search, more) in [("greedy", &[][..]), ("beam4", &["--beam", "4"][..])] {
            let lines = translate(&dir, &[&flags, more].concat(), &texts);
            assert_eq!(lines.len(), cases.len());
            let mut wrong = 0;
            for (case, line) in cases.iter().zip(&lines) {
                compared += 1;
                if let Some(difference) = difference(case, search, line) {
                    wrong += 1;
                    writeln!(report, "{}: {}: {difference}", dir.display(), case["text"]).unwrap();
                }
            }
            println!(
                "{} {search}: {wrong} of {} differ",
                dir.display(),
                cases.len()
            );
        }
    }
    println!("{compared} answers compared");
    assert!(report.is_empty(), "{report}");
}
