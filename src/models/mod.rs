//! Models: manifests, cache, fetching, verification, and opening a directory as a translator.

pub mod bundle;
mod check;
mod download;
pub mod family;
pub mod fetch;
mod http;
pub mod manifest;
pub mod open;
mod sources;
pub mod store;
mod unpack;
pub mod verify;
mod wheel;

/// Readers of foreign bytes that no public item reaches without a network, for `tests/fuzz`.
#[cfg(fuzzing)]
pub mod fuzzing {
    /// Addresses that a list of records gives for a built-in model.
    #[must_use]
    pub fn chosen(text: &str) -> Vec<String> {
        super::manifest::find("firefox-ar-en")
            .map(|manifest| super::sources::chosen(&manifest, text))
            .unwrap_or_default()
    }

    /// Reads every file of a zip archive.
    pub fn wheel(bytes: &[u8]) {
        super::wheel::read_all(bytes);
    }
}

/// The files of the model that the program itself carries.
///
/// They are handed in by `main`, so that the library (and every test that links it) stays small.
#[derive(Clone, Copy, Debug)]
pub struct EmbeddedFiles {
    /// Model id.
    pub id: &'static str,
    /// A GGUF file in parts that are cut at tensor boundaries.
    pub weights: &'static [&'static [u8]],
    /// `tokenizer.json` of the tokenizers library.
    pub tokenizer: &'static [u8],
    /// SHA-256 of the joined parts, in hex.
    pub sha256: &'static str,
}
