//! Bounded windows of articles through the models, read ahead, written in order.
//!
//! ```text
//! reader thread -> window builder -> lanes (process) -> caller (writes in input order)
//! ```
//! Memory holds at most a few windows, whatever the input's size. A window is as many articles as
//! take three seconds, so that a crash costs little, and no more than fill full batches for a
//! hundred threads, so that a model that answers at once does not fill the memory. Two lanes work
//! at a time, so that threads which one window leaves idle at its end serve the next. Results do
//! not depend on how articles fall into windows, so sizes may follow the clock.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use super::RunError;
use super::input::{Item, Items};
use super::manifest::Stopwatch;
use super::record::{Head, Place, Processed, RecordError, SegmentDetail, error_line, good_line};
use crate::article::Article;
use crate::translate::ArticleError;

/// Articles in, results in the same order out; no result may depend on the others.
pub type Process<'a> = dyn Fn(&[Article]) -> Vec<Result<Processed, ArticleError>> + Sync + 'a;

/// Why a run stops before its end; it can go on later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// `--deadline` has come.
    Deadline,
    /// `--limit` is used up.
    Limit,
    /// SIGINT.
    Interrupted,
    /// SIGTERM.
    Terminated,
}

/// One finished article.
pub(crate) struct Finished {
    pub(crate) head: Head,
    pub(crate) line: Vec<u8>,
}

/// How windows are worked on.
pub(crate) struct Pump<'a> {
    pub(crate) process: &'a Process<'a>,
    pub(crate) detail: SegmentDetail,
    /// Called with the result of an article before its record counts as written.
    pub(crate) deliver: &'a (dyn Fn(&Item, &Processed) -> Result<(), RunError> + Sync),
    pub(crate) stop: &'a (dyn Fn() -> Option<Stop> + Sync),
    pub(crate) lanes: usize,
    pub(crate) limit: Option<u64>,
}

/// Time that one window should take.
const WINDOW: Duration = Duration::from_secs(3);
/// Bytes of a window, at first, at least and at most.
const FIRST_BYTES: usize = 16 << 10;
const LEAST_BYTES: usize = 1 << 10;
const MOST_BYTES: usize = 1 << 20;
/// Articles of a window at most.
const MOST_ARTICLES: usize = 1024;
/// A pipe that gives nothing for so long does not hold up the articles at hand.
const IDLE: Duration = Duration::from_millis(50);

type Message = Option<Result<Item, super::InputError>>;
type Window = (u64, Vec<Item>);
type Outcome = (u64, Result<Vec<Finished>, Halt>);

enum Halt {
    Stopped(Stop),
    Failed(RunError),
}

impl Pump<'_> {
    /// Works through `items`: `select` says which are wanted (and may renumber them), `sink` gets
    /// finished windows in input order. Gives the reason when it stopped before the end.
    pub(crate) fn run(
        &self,
        items: Items,
        select: impl FnMut(&mut Item) -> Result<bool, RunError> + Send,
        mut sink: impl FnMut(Vec<Finished>) -> Result<(), RunError>,
    ) -> Result<Option<Stop>, RunError> {
        let (message_out, messages) = sync_channel::<Message>(8);
        // Detached: it may hang in a read of a pipe, and the end of a run does not wait for that.
        let reader = thread::Builder::new().name("reader".into());
        reader
            .spawn(move || read_all(items, &message_out))
            .map_err(RunError::Thread)?;
        let lanes = self.lanes.max(1);
        let target = AtomicUsize::new(FIRST_BYTES);
        thread::scope(|scope| {
            let (ticket_out, tickets) = sync_channel::<()>(lanes + 1);
            for _ in 0..=lanes {
                let _ = ticket_out.send(());
            }
            let mut ticket_out = Some(ticket_out);
            let (window_out, windows) = sync_channel::<Window>(1);
            let windows = Mutex::new(windows);
            let (outcome_out, outcomes) = sync_channel::<Outcome>(lanes + 2);
            let builder = Builder {
                pump: self,
                tickets,
                windows: window_out,
                target: &target,
                window: Vec::new(),
                bytes: 0,
                sequence: 0,
            };
            let builder = scope.spawn(move || builder.build(&messages, select));
            let windows = std::sync::Arc::new(windows);
            for _ in 0..lanes {
                let (windows, out, target) = (windows.clone(), outcome_out.clone(), &target);
                scope.spawn(move || self.lane(&windows, &out, target));
            }
            drop((outcome_out, windows));
            let mut halted = None;
            let mut waiting = BTreeMap::new();
            let mut next = 0;
            for (sequence, outcome) in outcomes {
                waiting.insert(sequence, outcome);
                while let Some(outcome) = waiting.remove(&next) {
                    next += 1;
                    match outcome {
                        Ok(finished) if halted.is_none() => sink(finished)?,
                        Err(halt) if halted.is_none() => {
                            // Without tickets the builder ends.
                            ticket_out = None;
                            halted = Some(halt);
                        }
                        _ => {}
                    }
                    if let Some(tickets) = &ticket_out {
                        let _ = tickets.try_send(());
                    }
                }
            }
            // Every sender of outcomes is gone, so the builder has ended too.
            let built = builder.join().map_err(|_| RunError::Panic)?;
            match halted {
                Some(Halt::Failed(e)) => Err(e),
                Some(Halt::Stopped(stop)) => built.map(|built| built.or(Some(stop))),
                None => built,
            }
        })
    }

    fn lane(
        &self,
        windows: &Mutex<Receiver<Window>>,
        out: &SyncSender<Outcome>,
        target: &AtomicUsize,
    ) {
        loop {
            let next = windows
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .recv();
            let Ok((sequence, window)) = next else { return };
            let outcome = match (self.stop)() {
                Some(stop) => Err(Halt::Stopped(stop)),
                None => {
                    let bytes: usize = window.iter().map(|item| item.bytes).sum();
                    let watch = Stopwatch::start();
                    let finished = self.finish(window).map_err(Halt::Failed);
                    adapt(target, bytes, watch.elapsed());
                    finished
                }
            };
            if out.send((sequence, outcome)).is_err() {
                return;
            }
        }
    }

    fn finish(&self, mut window: Vec<Item>) -> Result<Vec<Finished>, RunError> {
        let mut articles = Vec::new();
        for item in &mut window {
            if let Ok(article) = &mut item.content {
                articles.push(std::mem::take(article));
            }
        }
        let mut results = self.call(&articles).into_iter();
        let mut articles = articles.into_iter();
        let mut out = Vec::with_capacity(window.len());
        for mut item in window {
            let mut result = Err(RecordError::new(
                "engine_failed",
                "the model gave no result",
            ));
            if let Ok(article) = &mut item.content {
                *article = articles.next().unwrap_or_default();
                result = results.next().unwrap_or(result);
            }
            let place = Place {
                id: &item.id,
                index: item.index,
                source: &item.source,
            };
            let line = match (&item.content, &result) {
                (Err(e), _) | (Ok(_), Err(e)) => error_line(place, e),
                (Ok(article), Ok(processed)) => {
                    (self.deliver)(&item, processed)?;
                    good_line(place, article, processed, self.detail)
                }
            };
            let head = Head::parse(&line).ok_or(RunError::Panic)?;
            out.push(Finished { head, line });
        }
        Ok(out)
    }

    /// Calls the models; where that panics, each article alone, so that one article fails.
    fn call(&self, articles: &[Article]) -> Vec<Result<Processed, RecordError>> {
        if articles.is_empty() {
            return Vec::new();
        }
        match catch_unwind(AssertUnwindSafe(|| (self.process)(articles))) {
            Ok(results) => results
                .into_iter()
                .map(|r| r.map_err(|e| RecordError::from(&e)))
                .collect(),
            Err(_) if articles.len() == 1 => {
                vec![Err(RecordError::new(
                    "engine_failed",
                    "the model panicked on this article",
                ))]
            }
            Err(_) => articles.chunks(1).flat_map(|one| self.call(one)).collect(),
        }
    }
}

fn read_all(items: Items, out: &SyncSender<Message>) {
    for item in items {
        if out.send(Some(item)).is_err() {
            return;
        }
    }
    let _ = out.send(None);
}

/// Brings the bytes of a window nearer to what takes [`WINDOW`].
fn adapt(target: &AtomicUsize, bytes: usize, took: Duration) {
    let ratio = WINDOW.as_secs_f64() / took.as_secs_f64().max(1e-3);
    let ideal = bytes.max(LEAST_BYTES) as f64 * ratio.clamp(0.25, 4.0);
    let _ = target.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |now| {
        // A window cut short by a slow pipe says nothing of larger ones.
        let ideal = if bytes < now / 2 && ratio > 1.0 {
            now as f64
        } else {
            ideal
        };
        Some(((now as f64 + ideal) / 2.0) as usize).map(|t| t.clamp(LEAST_BYTES, MOST_BYTES))
    });
}

struct Builder<'a> {
    pump: &'a Pump<'a>,
    tickets: Receiver<()>,
    windows: SyncSender<Window>,
    target: &'a AtomicUsize,
    window: Vec<Item>,
    bytes: usize,
    sequence: u64,
}

impl Builder<'_> {
    fn build(
        mut self,
        messages: &Receiver<Message>,
        mut select: impl FnMut(&mut Item) -> Result<bool, RunError>,
    ) -> Result<Option<Stop>, RunError> {
        let mut taken = 0;
        loop {
            if let Some(stop) = (self.pump.stop)() {
                return Ok(Some(stop));
            }
            let mut item = match messages.recv_timeout(IDLE) {
                Ok(Some(Ok(item))) => item,
                Ok(Some(Err(e))) => {
                    self.send();
                    return Err(e.into());
                }
                Ok(None) => {
                    self.send();
                    return Ok(None);
                }
                Err(RecvTimeoutError::Timeout) => {
                    if !self.send() {
                        return Ok(None);
                    }
                    continue;
                }
                Err(RecvTimeoutError::Disconnected) => return Err(RunError::Panic),
            };
            if !select(&mut item)? {
                continue;
            }
            if self.pump.limit.is_some_and(|limit| taken >= limit) {
                self.send();
                return Ok(Some(Stop::Limit));
            }
            taken += 1;
            self.bytes += item.bytes;
            self.window.push(item);
            if self.bytes >= self.target.load(Ordering::Relaxed)
                || self.window.len() >= MOST_ARTICLES
            {
                // Who ended the run knows why.
                if !self.send() {
                    return Ok(None);
                }
            }
        }
    }

    /// Hands the window on; waits while enough of them are under way.
    ///
    /// Gives `false` when nobody takes it: the run is at its end.
    fn send(&mut self) -> bool {
        if self.window.is_empty() {
            return true;
        }
        if self.tickets.recv().is_err() {
            return false;
        }
        self.bytes = 0;
        self.sequence += 1;
        self.windows
            .send((self.sequence - 1, std::mem::take(&mut self.window)))
            .is_ok()
    }
}
