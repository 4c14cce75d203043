//! Readers of foreign bytes. Every size is checked against the file before anything is allocated.

pub mod checkpoint;
mod ctranslate2;
pub mod gguf;
pub mod lexical;
pub mod marian_bin;
mod pickle;
mod safetensors;
