//! One batch job: articles in, records out, in order, resumable, the same bytes whatever happens.
//!
//! The output is a journal of whole lines and the run continues by position: record `k` of the
//! file is article `k` of this shard's input. What is not in the file is done again, what is in it
//! is not; ids prove that the input is still the same.

mod file;
mod ids;
pub mod input;
mod job;
mod journal;
pub mod manifest;
pub mod merge;
mod meter;
mod plan;
pub mod record;
mod rewrite;
pub mod shard;
pub mod status;
mod walk;
mod window;

#[cfg(test)]
mod tests;

pub use input::{Input, InputError, InputPrint};
pub use job::{Job, Mode, Outcome, Output, RunError, Snapshot, run};
pub use manifest::{Fingerprint, Manifest, Tally};
pub use merge::merge;
pub use plan::{Plan, plan};
pub use record::{Processed, RecordError, SegmentDetail};
pub use shard::Shard;
pub use status::{Status, status};
pub use window::{Process, Stop};
