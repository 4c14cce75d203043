//! Tokenisers: text to ids and back.

mod charsmap;
pub mod hf;
mod protobuf;
pub mod spm;
