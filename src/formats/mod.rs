//! (see ARCHITECTURE.md)

pub mod lexical;
pub mod marian_bin;
