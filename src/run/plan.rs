//! A run that does nothing: what its input holds and what its output has.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use super::input::Input;
use super::job::{RunError, output_error};
use super::journal::scan;
use super::record::Head;
use super::shard::Shard;

/// What a run would do.
#[derive(Clone, Debug, Default, serde::Serialize)]
pub struct Plan {
    /// Articles of the input (of the shard, if one is given).
    pub articles: u64,
    /// Of these, articles that give error records whatever the model does, by kind.
    pub errors: BTreeMap<String, u64>,
    /// Bytes of articles.
    pub bytes: u64,
    /// Records that the output has already.
    pub written: u64,
}

/// Reads the whole input and says what a run would find; writes nothing.
///
/// # Errors
/// When an input cannot be read.
pub fn plan(input: &Input, shard: Option<Shard>, output: Option<&Path>) -> Result<Plan, RunError> {
    input.check()?;
    let mut plan = Plan::default();
    for item in input.items(Arc::default()) {
        let item = item?;
        if shard.is_some_and(|s| !s.has(item.index)) {
            continue;
        }
        plan.articles += 1;
        plan.bytes += item.bytes as u64;
        if let Err(e) = item.content {
            *plan.errors.entry(e.kind).or_default() += 1;
        }
    }
    if let Some(path) = output
        && let Ok(file) = fs::File::open(path)
    {
        let count = |_: &Head, _: &[u8], _| {
            plan.written += 1;
            true
        };
        scan(&file, count).map_err(output_error(path))?;
    }
    Ok(plan)
}
