//! Tokenisers: text to ids and back.

mod charsmap;
pub mod chat;
pub mod gguf;
pub mod hf;
mod protobuf;
pub mod spm;
