//! The Firefox engine against bergamot on small models of the repository, in both directions.
//!
//! `tests/data/firefox-tiny/README.md` says how models and lines were made.

use std::path::PathBuf;

use tarjama::text::Lang;

use super::bergamot;

fn data() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data/firefox-tiny")
}

#[test]
fn english_to_arabic_is_bergamots_line_by_line() {
    bergamot::check(&data().join("enar"), &data(), [Lang::EN, Lang::AR]);
}

#[test]
fn arabic_to_english_is_bergamots_line_by_line() {
    bergamot::check(&data().join("aren"), &data(), [Lang::AR, Lang::EN]);
}

#[test]
fn source_and_target_vocabularies_of_their_own_are_not_mixed_up() {
    let dir = data().join("two-vocabularies");
    bergamot::check(&dir, &dir, [Lang::EN, Lang::AR]);
}
