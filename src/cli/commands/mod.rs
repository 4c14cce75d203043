//! One file a command: arguments, then `run`, which turns them into one library call.

pub mod bench;
pub mod completions;
pub mod doctor;
pub mod eval;
pub mod merge;
pub mod models;
pub mod run;
pub mod status;
pub mod summarize;
pub mod translate;
