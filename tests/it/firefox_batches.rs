//! A segment's translation by a Firefox model depends on nothing but the segment: neither on its
//! batch nor on the instruction set, to the last bit of its score.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::path::PathBuf;

use tarjama::decode::DecodeOptions;
use tarjama::kernel::Kernels;
use tarjama::text::{Direction, Lang};
use tarjama::translate::{FirefoxTranslator, Translator};

const DIRECTION: Direction = Direction {
    from: Lang::EN,
    to: Lang::AR,
};

fn data() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data/firefox-tiny")
}

fn model(kernels: Kernels) -> FirefoxTranslator {
    FirefoxTranslator::open(&data().join("enar"), Lang::EN, Lang::AR, kernels).unwrap()
}

/// Ids, and the bits of the score, of each line.
fn translate(model: &FirefoxTranslator, lines: &[&str]) -> Vec<(Vec<u32>, u32)> {
    let results = model.translate_batch(lines, DIRECTION, &DecodeOptions::default());
    let hypotheses = results.unwrap().into_iter().map(|r| r.hypotheses);
    hypotheses
        .map(|mut h| h.swap_remove(0))
        .map(|h| (h.ids, h.score.to_bits()))
        .collect()
}

#[test]
fn a_line_is_translated_alike_alone_and_in_any_company() {
    let text = std::fs::read_to_string(data().join("en.txt")).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let model = model(Kernels::detect());
    let together = translate(&model, &lines);
    let backwards: Vec<&str> = lines.iter().rev().copied().collect();
    let mut turned = translate(&model, &backwards);
    turned.reverse();
    assert_eq!(together, turned);
    for (line, wanted) in lines.iter().zip(&together) {
        assert_eq!(&translate(&model, &[line])[0], wanted, "{line}");
    }
}

#[test]
fn every_instruction_set_gives_the_same_bits() {
    let text = std::fs::read_to_string(data().join("en.txt")).unwrap();
    let lines: Vec<&str> = text.lines().take(20).collect();
    let wanted = translate(&model(Kernels::detect()), &lines);
    for name in ["portable", "avx2", "avx512"] {
        if let Ok(kernels) = Kernels::named(name) {
            assert_eq!(translate(&model(kernels), &lines), wanted, "{name}");
        }
    }
}
