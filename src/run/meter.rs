//! Counts records as they are written, and tells of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::job::{Outcome, Snapshot};
use super::manifest::{Stopwatch, Tally};
use super::window::{Finished, Stop};

/// Counts records and tells of them.
pub(super) struct Meter<'a> {
    progress: &'a mut dyn FnMut(&Snapshot),
    pub(super) counts: Tally,
    words_before: u64,
    written: u64,
    size: u64,
    pub(super) bytes_read: Arc<AtomicU64>,
    read_at_start: Option<f64>,
    pub(super) watch: Stopwatch,
}

impl<'a> Meter<'a> {
    pub(super) fn new(progress: &'a mut dyn FnMut(&Snapshot), counts: Tally, size: u64) -> Self {
        let words_before = counts.source_words;
        let (bytes_read, watch) = (Arc::default(), Stopwatch::start());
        Self {
            progress,
            counts,
            words_before,
            written: 0,
            size,
            bytes_read,
            read_at_start: None,
            watch,
        }
    }

    pub(super) fn count(&mut self, finished: &[Finished]) {
        for one in finished {
            self.counts.add(&one.head);
        }
        self.written += finished.len() as u64;
        let bytes = self.bytes_read.load(Ordering::Relaxed);
        let read = (self.size > 0).then(|| (bytes as f64 / self.size as f64).min(1.0));
        self.read_at_start = self.read_at_start.or(read);
        (self.progress)(&Snapshot {
            done: self.counts.done,
            failed: self.counts.failed,
            words: self.counts.source_words - self.words_before,
            seconds: self.watch.elapsed().as_secs_f64(),
            read,
            read_at_start: self.read_at_start,
        });
    }

    pub(super) fn outcome(self, stopped: Option<Stop>) -> Outcome {
        Outcome {
            counts: self.counts,
            written: self.written,
            stopped,
        }
    }
}
