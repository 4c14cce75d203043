//! (see ARCHITECTURE.md)

mod charsmap;
mod protobuf;
pub mod spm;
