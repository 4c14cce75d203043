//! Transformers on flat buffers. An engine reads token ids and gives logits; it knows no text.

pub mod causal;
pub mod encdec;
pub mod linear;
pub mod marian;
