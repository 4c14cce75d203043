//! One file a command: arguments, then `run`, which turns them into one library call.

pub mod completions;
pub mod merge;
pub mod status;
pub mod doctor;
pub mod models;
