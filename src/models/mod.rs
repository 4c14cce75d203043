//! Models: manifests, cache, fetching, verification, and opening a directory as a translator.

pub mod bundle;
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
