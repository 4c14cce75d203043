//! The Firefox engine against goldens of bergamot-translator on real models.
//!
//! Runs where `TARJAMA_PEERS` and `TARJAMA_SHARED` name the folders; passes elsewhere.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::fmt::Write as _;
use std::path::PathBuf;

use tarjama::decode::DecodeOptions;
use tarjama::kernel::Kernels;
use tarjama::text::{Direction, Lang};
use tarjama::tokenize::spm::Spm;
use tarjama::translate::{FirefoxTranslator, Translator};

fn folders() -> Option<(PathBuf, PathBuf)> {
    let models = PathBuf::from(std::env::var_os("TARJAMA_PEERS")?).join("firefox/models");
    let goldens = PathBuf::from(std::env::var_os("TARJAMA_SHARED")?).join("peers/firefox/goldens");
    Some((models, goldens))
}

#[test]
fn tokenizer_ids_are_sentencepieces() {
    let Some((models, goldens)) = folders() else {
        return;
    };
    for direction in ["enpt", "pten"] {
        let spm = std::fs::read(models.join(format!("{direction}/vocab.{direction}.spm"))).unwrap();
        let spm = Spm::parse(&spm).unwrap();
        let lines =
            std::fs::read_to_string(goldens.join(format!("{direction}.ids.jsonl"))).unwrap();
        for line in lines.lines() {
            let golden: serde_json::Value = serde_json::from_str(line).unwrap();
            let wanted: Vec<u64> = golden["ids"]
                .as_array()
                .unwrap()
                .iter()
                .map(|id| id.as_u64().unwrap())
                .collect();
            let text = golden["text"].as_str().unwrap();
            let got: Vec<u64> = spm.encode(text).into_iter().map(u64::from).collect();
            assert_eq!(got, wanted, "{direction}: {text}");
        }
    }
}

/// Translates the lines of `source` and compares with bergamot's translations: integer arithmetic,
/// shortlists and the order of every float sum are bergamot's, so all are equal.
fn compare(direction: &str, from: Lang, to: Lang, source: &str, target: &str) {
    let Some((models, goldens)) = folders() else {
        return;
    };
    let model =
        FirefoxTranslator::open(&models.join(direction), from, to, Kernels::detect()).unwrap();
    let sources = std::fs::read_to_string(goldens.join(source)).unwrap();
    let targets = std::fs::read_to_string(goldens.join(target)).unwrap();
    let sources: Vec<&str> = sources.lines().collect();
    let mut report = String::new();
    let mut wrong = 0;
    let mut wanted = targets.lines();
    for batch in sources.chunks(16) {
        let options = DecodeOptions::default();
        let results = model
            .translate_batch(batch, Direction { from, to }, &options)
            .unwrap();
        for (result, source) in results.iter().zip(batch) {
            let (got, wanted) = (&result.hypotheses[0].text, wanted.next().unwrap());
            if got != wanted {
                wrong += 1;
                writeln!(report, "{source}\n  bergamot {wanted}\n  tarjama  {got}").unwrap();
            }
        }
    }
    assert!(
        wrong <= 1,
        "{direction}: {wrong} of {} lines differ\n{report}",
        sources.len()
    );
}

#[test]
fn english_to_portuguese_is_bergamots() {
    compare("enpt", Lang::EN, Lang::PT, "en.txt", "en.pt.txt");
}

#[test]
fn portuguese_to_english_is_bergamots() {
    compare("pten", Lang::PT, Lang::EN, "en.pt.txt", "pt.en.txt");
}
