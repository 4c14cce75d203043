//! What stops a run before its end.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use signal_hook::consts::{SIGINT, SIGTERM};

use crate::cli::exit::Exit;
use crate::run::Stop;
use crate::run::manifest::Stopwatch;

/// Signals and the deadline.
pub(super) struct Stopper {
    interrupted: Arc<AtomicBool>,
    terminated: Arc<AtomicBool>,
    clock: Stopwatch,
    deadline: Option<Duration>,
}

impl Stopper {
    /// Listens to signals; `clock` has been running since the command began.
    pub(super) fn new(deadline: Option<Duration>, clock: Stopwatch) -> anyhow::Result<Self> {
        let watch = |signal, exit: Exit| -> anyhow::Result<_> {
            let flag = Arc::new(AtomicBool::new(false));
            // The second signal of a kind ends at once; the file is resumable even then.
            let code = i32::from(exit.code());
            signal_hook::flag::register_conditional_shutdown(signal, code, Arc::clone(&flag))
                .and_then(|_| signal_hook::flag::register(signal, Arc::clone(&flag)))
                .context("cannot listen to signals")?;
            Ok(flag)
        };
        Ok(Self {
            interrupted: watch(SIGINT, Exit::Interrupted)?,
            terminated: watch(SIGTERM, Exit::Terminated)?,
            clock,
            deadline,
        })
    }

    pub(super) fn asked(&self) -> Option<Stop> {
        if self.interrupted.load(Ordering::Relaxed) {
            Some(Stop::Interrupted)
        } else if self.terminated.load(Ordering::Relaxed) {
            Some(Stop::Terminated)
        } else if self.deadline.is_some_and(|d| self.clock.elapsed() >= d) {
            Some(Stop::Deadline)
        } else {
            None
        }
    }
}
