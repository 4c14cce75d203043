//! (see ARCHITECTURE.md)

pub mod marian;
