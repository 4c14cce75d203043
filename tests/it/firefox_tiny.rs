//! The Firefox engine against bergamot on small models of the repository, in both directions.
//!
//! `tests/data/firefox-tiny/README.md` says how models and lines were made.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::path::PathBuf;

use tarjama::decode::DecodeOptions;
use tarjama::kernel::Kernels;
use tarjama::text::{Direction, Lang};
use tarjama::translate::{FirefoxTranslator, Translator};

fn data() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data/firefox-tiny")
}

/// Near ties may fall otherwise than with bergamot, whose floats are added in another order.
fn compare(from: Lang, to: Lang) {
    let direction = Direction { from, to };
    let model = FirefoxTranslator::open(
        &data().join(format!("{from}{to}")),
        from,
        to,
        Kernels::detect(),
    )
    .unwrap();
    let read = |name: String| std::fs::read_to_string(data().join(name)).unwrap();
    let (sources, targets) = (
        read(format!("{from}.txt")),
        read(format!("{from}.{to}.txt")),
    );
    let mut wrong = 0;
    let mut count = 0;
    for (source, wanted) in sources.lines().zip(targets.lines()) {
        let results = model
            .translate_batch(&[source], direction, &DecodeOptions::default())
            .unwrap();
        let got = &results[0].hypotheses[0].text;
        count += 1;
        // bergamot drops a line of nothing but spaces; here it stays as it is.
        if got != wanted && !source.trim().is_empty() {
            wrong += 1;
            println!("{source:?}\n  bergamot {wanted:?}\n  tarjama  {got:?}");
        }
    }
    println!("## {from}-{to}: {wrong} of {count} lines differ from bergamot's");
    assert!(
        wrong * 6 <= count,
        "{from}-{to}: {wrong} of {count} lines differ"
    );
}

#[test]
fn english_to_arabic_is_bergamots_line_by_line() {
    compare(Lang::EN, Lang::AR);
}

#[test]
fn arabic_to_english_is_bergamots_line_by_line() {
    compare(Lang::AR, Lang::EN);
}
