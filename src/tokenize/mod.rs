//! Tokenisers: text to ids and back.

mod bpe;
mod charsmap;
pub mod chat;
mod convert;
pub mod gguf;
pub mod hf;
mod protobuf;
pub mod seq2seq;
pub mod spm;
mod trie;
