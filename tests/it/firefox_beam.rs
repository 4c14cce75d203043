//! Beam search of Firefox models against bergamot's with `beam-size: 4`, on the small models of
//! the repository (`tests/data/firefox-tiny/*.beam4.txt`).
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::path::PathBuf;

use tarjama::decode::DecodeOptions;
use tarjama::kernel::Kernels;
use tarjama::text::{Direction, Lang};
use tarjama::translate::{FirefoxTranslator, Translator};

fn compare(from: Lang, to: Lang) {
    let data = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data/firefox-tiny");
    let dir = data.join(format!("{from}{to}"));
    let model = FirefoxTranslator::open(&dir, from, to, Kernels::detect()).unwrap();
    let read = |name: String| std::fs::read_to_string(data.join(name)).unwrap();
    let sources = read(format!("{from}.txt"));
    let targets = read(format!("{from}.{to}.beam4.txt"));
    let options = DecodeOptions {
        beam: Some(4),
        nbest: Some(4),
        ..DecodeOptions::default()
    };
    let lines: Vec<&str> = sources.lines().collect();
    let results = model.translate_batch(&lines, Direction { from, to }, &options);
    for (result, wanted) in results.unwrap().iter().zip(targets.lines()) {
        // A line over the model's limit is searched in parts; spaces alone reach no model.
        if !result.wrapped && !wanted.is_empty() {
            assert_eq!(result.hypotheses[0].text, wanted);
            let scores: Vec<f32> = result.hypotheses.iter().map(|h| h.score).collect();
            assert!(
                scores.is_sorted_by(|a, b| a >= b) && scores.len() == 4,
                "{scores:?}"
            );
        }
    }
}

#[test]
fn beams_into_arabic_are_bergamots() {
    compare(Lang::EN, Lang::AR);
}

#[test]
fn beams_into_english_are_bergamots() {
    compare(Lang::AR, Lang::EN);
}
