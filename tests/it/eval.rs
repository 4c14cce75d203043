//! `tarjama eval` against the numbers of sacreBLEU 2.6.0.
//!
//! `eval/*.txt` is what the embedded model made of the articles that `bench` measures with.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn eval(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_tarjama"))
        .arg("eval")
        .args(args)
        .env_clear()
        // A model of the user's settings is no concern of given translations.
        .env("TARJAMA_MODEL", "no-such-model")
        .output()
        .expect("the program runs")
}

fn json(args: &[&str]) -> serde_json::Value {
    let output = eval(&[args, &["--json"]].concat());
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{errors}");
    serde_json::from_slice(&output.stdout).expect("JSON")
}

fn fixture(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    path.to_str().expect("UTF-8").to_owned()
}

fn score(report: &serde_json::Value, metric: &str) -> f64 {
    report["scores"][metric]["score"].as_f64().expect("a score")
}

#[test]
fn keeps_the_scores_of_sacrebleu_on_articles() {
    struct Case {
        to: &'static str,
        /// With the tokenizers 13a, intl, char, none.
        bleu: [f64; 4],
        chrf: f64,
        chrf_plus_plus: f64,
    }
    let cases = [
        Case {
            to: "ar",
            bleu: [29.7616, 32.0001, 62.1037, 27.5210],
            chrf: 56.7468,
            chrf_plus_plus: 54.1436,
        },
        Case {
            to: "en",
            bleu: [43.3184, 44.0762, 68.4227, 39.2779],
            chrf: 63.5134,
            chrf_plus_plus: 62.4922,
        },
    ];
    for case in cases {
        let name = if case.to == "ar" { "en-ar" } else { "ar-en" };
        let (test, hypotheses) = (
            fixture("src/eval/bench/news.jsonl"),
            fixture(&format!("tests/it/eval/{name}.txt")),
        );
        for (tokenizer, bleu) in ["13a", "intl", "char", "none"].iter().zip(case.bleu) {
            let report = json(&[
                "--test",
                &test,
                "--to",
                case.to,
                "--hypotheses",
                &hypotheses,
                "--tokenize",
                tokenizer,
            ]);
            let got = score(&report, "bleu");
            assert!((got - bleu).abs() < 1e-3, "{name} {tokenizer} {got} {bleu}");
            assert!((score(&report, "chrf") - case.chrf).abs() < 1e-3);
            assert!((score(&report, "chrf++") - case.chrf_plus_plus).abs() < 1e-3);
            let signature = report["scores"]["bleu"]["signature"].as_str();
            let wanted =
                format!("nrefs:1|case:mixed|eff:no|tok:{tokenizer}|smooth:exp|version:2.6.0+");
            assert!(
                signature.is_some_and(|s| s.starts_with(&wanted)),
                "{signature:?}"
            );
            assert_eq!(report["counts"]["segments"], 99);
            assert_eq!(report["groups"]["document"][0]["name"], "w1-001");
            assert_eq!(report["groups"]["document"][0]["counts"]["segments"], 8);
        }
    }
}

#[test]
fn tells_whether_a_difference_is_chance() {
    let (test, hypotheses) = (
        fixture("src/eval/bench/news.jsonl"),
        fixture("tests/it/eval/en-ar.txt"),
    );
    let report = json(&[
        "--test",
        &test,
        "--to",
        "ar",
        "--hypotheses",
        &hypotheses,
        "--against",
        &hypotheses,
    ]);
    assert_eq!(report["against"]["chrf++"]["difference"], 0.0);
    assert!(report["against"]["chrf++"]["p_value"].as_f64() > Some(0.9));
}

#[test]
fn fails_when_files_do_not_belong_together_with_both_lengths() {
    let (test, hypotheses) = (
        fixture("src/eval/bench/news.jsonl"),
        fixture("tests/it/eval/en-ar.txt"),
    );
    // Both directions are 198 segments.
    let output = eval(&["--test", &test, "--hypotheses", &hypotheses]);
    assert_eq!(output.status.code(), Some(2));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(
        errors.contains("99 lines of hypotheses, but 198"),
        "{errors}"
    );
    let output = eval(&["--references", &hypotheses]);
    assert_eq!(output.status.code(), Some(2), "nothing to translate");
}

/// The systems of the table in the test sets' README: direction, name, BLEU, chrF, chrF++, each as
/// sacreBLEU gives it.
const SYSTEMS: &[(&str, &str, [f64; 3])] = &[
    ("en-ar", "argos", [16.5446, 44.3245, 40.9845]),
    ("en-ar", "opusmt", [22.7770, 54.3151, 50.4853]),
    ("en-ar", "nllb", [21.4870, 53.5661, 49.7900]),
    ("en-ar", "bergamot-base-memory", [29.0300, 60.9119, 57.1892]),
    ("en-ar", "bergamot-base", [29.5046, 61.1077, 57.3983]),
    ("en-ar", "microsoft", [31.0103, 63.5225, 59.7162]),
    ("en-ar", "google", [33.6793, 63.4124, 59.9027]),
    ("ar-en", "argos", [29.5412, 57.2996, 55.2763]),
    ("ar-en", "opusmt", [33.9060, 61.0202, 59.0832]),
    ("ar-en", "nllb", [36.5088, 62.4388, 60.5505]),
    ("ar-en", "bergamot-base-memory", [38.5622, 64.6526, 62.7992]),
    ("ar-en", "bergamot-base", [38.9419, 64.8966, 63.0445]),
    ("ar-en", "microsoft", [43.7497, 67.7943, 66.0703]),
    ("ar-en", "google", [45.0906, 69.9879, 68.1794]),
];

#[test]
fn keeps_the_scores_of_seven_published_systems() {
    let Some(shared) = std::env::var_os("TARJAMA_SHARED").map(PathBuf::from) else {
        return;
    };
    let flores = shared.join("eval/flores");
    let path = |name: String| flores.join(name).to_str().expect("UTF-8").to_owned();
    for (direction, system, wanted) in SYSTEMS {
        let (from, to) = direction.split_once('-').expect("a direction");
        let report = json(&[
            "--hypotheses",
            &path(format!("{direction}/test.{system}.{to}")),
            "--references",
            &path(format!("test.{to}")),
            "--sources",
            &path(format!("test.{from}")),
        ]);
        let got = ["bleu", "chrf", "chrf++"].map(|metric| score(&report, metric));
        println!("{direction} {system} {got:.2?} {}", report["counts"]);
        for (got, wanted) in got.iter().zip(wanted) {
            assert!(
                (got - wanted).abs() < 1e-3,
                "{direction} {system} {got} {wanted}"
            );
        }
        assert_eq!(report["counts"]["segments"], 1012);
    }
}
