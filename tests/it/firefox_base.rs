//! The Firefox engine against bergamot on random models of the base-memory size.
//!
//! Runs where `TARJAMA_BASE_MEMORY` names the folder that `tests/parity/firefox/make` filled, as
//! `.ci/run` does; passes elsewhere.

use std::path::PathBuf;

use tarjama::text::Lang;

use super::bergamot;

fn check([from, to]: [Lang; 2]) {
    if let Some(data) = std::env::var_os("TARJAMA_BASE_MEMORY").map(PathBuf::from) {
        bergamot::check(&data.join(format!("{from}{to}")), &data, [from, to]);
    }
}

#[test]
fn english_to_arabic_at_full_size_is_bergamots() {
    check([Lang::EN, Lang::AR]);
}

#[test]
fn arabic_to_english_at_full_size_is_bergamots() {
    check([Lang::AR, Lang::EN]);
}
