//! A run into a file: what is there already, the rest, the manifest beside it.

use std::collections::BTreeSet;
use std::fs::{self, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::input::{Input, Item};
use super::job::{Mode, Outcome, RunError, Snapshot, beside, output_error};
use super::journal::Journal;
use super::manifest::{Fingerprint, Manifest, Stopwatch, Tally, path_of};
use super::meter::Meter;
use super::record::Head;
use super::rewrite::{self, Known};
use super::shard::Shard;
use super::window::{Finished, Pump, Stop};
use crate::disk::lock::Lock;

/// One job whose output is a file.
pub(super) struct FileRun {
    pub(super) path: PathBuf,
    pub(super) input: Input,
    pub(super) mode: Mode,
    pub(super) shard: Option<Shard>,
    pub(super) kernels: Option<String>,
    pub(super) _lock: Lock,
}

/// How often the journal is synced and the manifest written.
const SYNC: Duration = Duration::from_secs(3);

/// What the output has already.
struct Present {
    journal: Journal,
    counts: Tally,
    known: Known,
    records: u64,
    /// Index of the last record.
    last: Option<u64>,
}

/// New records for old places, until the output is rewritten.
struct Side {
    journal: Journal,
    path: PathBuf,
}

impl FileRun {
    pub(super) fn run(
        self,
        fingerprint: Fingerprint,
        pump: &Pump<'_>,
        progress: &mut dyn FnMut(&Snapshot),
    ) -> Result<Outcome, RunError> {
        let path = self.path.as_path();
        let (mut manifest, mode) = self.start(fingerprint)?;
        let side_path = beside(path, ".redo");
        if mode != Mode::RetryFailed {
            rewrite::remove(&side_path).map_err(output_error(&side_path))?;
        }
        let present = self.read(mode)?;
        let whole = manifest.articles.filter(|_| manifest.complete);
        let share = whole.map(|n| self.shard.map_or(n, |s| s.share(n)));
        if mode == Mode::Continue && share == Some(present.records) {
            return Ok(Outcome {
                counts: present.counts,
                written: 0,
                stopped: None,
            });
        }
        let mut redone = BTreeSet::new();
        let mut side = None;
        if matches!(mode, Mode::RetryFailed | Mode::Update) {
            let keep = |head: &Head, _: &[u8]| redone.insert(head.index);
            let journal = Journal::open(&side_path, keep).map_err(output_error(&side_path))?;
            let path = side_path;
            side = Some(Side { journal, path });
        }
        manifest.complete = false;
        manifest.counts = present.counts.clone();
        let kernels = self.kernels.iter();
        let new = kernels.filter(|k| !manifest.kernels.contains(k)).cloned();
        manifest.kernels.extend(new.collect::<Vec<_>>());
        manifest.write(path).map_err(output_error(path))?;

        let size = manifest.fingerprint.inputs.iter().map(|i| i.bytes).sum();
        let meter = Meter::new(progress, present.counts, size);
        let items = self.input.items(Arc::clone(&meter.bytes_read));
        let seen = Arc::new(AtomicU64::new(0));
        let mut choice = Choice {
            path,
            mode,
            shard: self.shard,
            known: present.known,
            records: present.records,
            redone,
            seen: Arc::clone(&seen),
            own: 0,
            fresh: present.records,
        };
        let mut writer = Writer {
            path,
            journal: present.journal,
            side,
            last: present.last,
            spent: manifest.seconds,
            manifest,
            meter,
            since_sync: Stopwatch::start(),
        };
        let stopped = pump.run(
            items,
            move |item| choice.wants(item),
            |finished| writer.write(&finished),
        );
        writer.close(mode, &seen, stopped)
    }

    /// Reads the records of the output and cuts off what is none.
    fn read(&self, mode: Mode) -> Result<Present, RunError> {
        let mut counts = Tally::default();
        let mut known = Known::new(mode);
        let (mut records, mut last) = (0, None);
        let journal = Journal::open(&self.path, |head, line| {
            let fits = head.index == self.index_of(records);
            if fits {
                counts.add(head);
                known.add(head, line);
                last = Some(head.index);
                records += 1;
            }
            fits
        })
        .map_err(output_error(&self.path))?;
        known.sort();
        Ok(Present {
            journal,
            counts,
            known,
            records,
            last,
        })
    }

    /// Index in the whole input of the article whose record stands at this position.
    fn index_of(&self, record: u64) -> u64 {
        match self.shard {
            Some(shard) => record * shard.count + shard.index,
            None => record,
        }
    }

    /// The manifest to go on with, and how.
    fn start(&self, fingerprint: Fingerprint) -> Result<(Manifest, Mode), RunError> {
        let path = self.path.as_path();
        let error = output_error(path);
        let fresh = |fingerprint| Manifest::new(fingerprint, self.shard);
        let empty = fs::metadata(path).map_or(true, |m| m.len() == 0);
        if self.mode == Mode::Overwrite {
            // First the records, then the manifest: records never stand under another's name.
            if !empty {
                let file = OpenOptions::new().write(true).open(path).map_err(&error)?;
                file.set_len(0)
                    .and_then(|()| file.sync_all())
                    .map_err(&error)?;
            }
            return Ok((fresh(fingerprint), Mode::Overwrite));
        }
        let unread = |source: io::Error| match source.kind() {
            io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof => RunError::Manifest {
                path: path_of(path),
                source,
            },
            _ => error(source),
        };
        let Some(mut manifest) = Manifest::read(path).map_err(unread)? else {
            if empty {
                return Ok((fresh(fingerprint), self.mode));
            }
            return Err(RunError::Foreign(path.to_path_buf()));
        };
        let mut difference = fingerprint.difference(&manifest.fingerprint);
        if manifest.shard != self.shard {
            let say = |s: Option<Shard>| s.map_or("none".to_owned(), |s| s.to_string());
            let (was, is) = (say(manifest.shard), say(self.shard));
            let what = format!("option --shard was {was}, is {is}");
            return Err(RunError::Different {
                path: path.to_path_buf(),
                difference: what,
            });
        }
        // An update that was cut off is gone on with as one.
        let mode = if manifest.updated_in_place {
            Mode::Update
        } else {
            self.mode
        };
        if self.mode == Mode::Update {
            difference = None;
            manifest.updated_in_place = true;
            manifest.fingerprint = fingerprint;
        }
        match difference {
            _ if empty => Ok((fresh(manifest.fingerprint), mode)),
            Some(difference) => Err(RunError::Different {
                path: path.to_path_buf(),
                difference,
            }),
            None => Ok((manifest, mode)),
        }
    }
}

/// Which articles of the input are to be worked on.
struct Choice<'a> {
    path: &'a Path,
    mode: Mode,
    shard: Option<Shard>,
    known: Known,
    /// Records that are there, of the first articles.
    records: u64,
    /// Indices of failed articles that a call before this one has done again.
    redone: BTreeSet<u64>,
    /// Articles seen, of all shards.
    seen: Arc<AtomicU64>,
    /// Articles seen, of this shard.
    own: u64,
    /// Index of the next article that an update appends.
    fresh: u64,
}

impl Choice<'_> {
    fn wants(&mut self, item: &mut Item) -> Result<bool, RunError> {
        self.seen.fetch_add(1, Ordering::Relaxed);
        if self.shard.is_some_and(|shard| !shard.has(item.index)) {
            return Ok(false);
        }
        self.own += 1;
        if self.mode == Mode::Update {
            return Ok(self.known.update(item, &mut self.fresh));
        }
        if self.own > self.records {
            return Ok(true);
        }
        let Some(failed) = self.known.check(self.own - 1, &item.id) else {
            return Err(RunError::InputChanged {
                path: self.path.to_path_buf(),
                line: self.own,
                index: item.index,
            });
        };
        Ok(self.mode == Mode::RetryFailed && failed && !self.redone.contains(&item.index))
    }
}

/// Writes records and, every few seconds, the manifest.
struct Writer<'a> {
    path: &'a Path,
    journal: Journal,
    side: Option<Side>,
    /// Index up to which records belong into the side file.
    last: Option<u64>,
    manifest: Manifest,
    meter: Meter<'a>,
    since_sync: Stopwatch,
    /// Seconds of the calls before this one.
    spent: f64,
}

impl Writer<'_> {
    fn write(&mut self, finished: &[Finished]) -> Result<(), RunError> {
        let error = output_error(self.path);
        let mut lines = Vec::new();
        for one in finished {
            match &mut self.side {
                Some(side) if Some(one.head.index) <= self.last => {
                    side.journal
                        .append(&one.line)
                        .map_err(output_error(&side.path))?
                }
                _ => lines.extend_from_slice(&one.line),
            }
        }
        self.journal.append(&lines).map_err(&error)?;
        self.meter.count(finished);
        if self.since_sync.elapsed() >= SYNC {
            self.since_sync = Stopwatch::start();
            self.journal.sync().map_err(&error)?;
            self.write_manifest()?;
        }
        Ok(())
    }

    fn write_manifest(&mut self) -> Result<(), RunError> {
        self.manifest.counts = self.meter.counts.clone();
        self.manifest.seconds = self.spent + self.meter.watch.elapsed().as_secs_f64();
        self.manifest
            .write(self.path)
            .map_err(output_error(self.path))
    }

    /// Makes all durable, also where the run stopped; `seen` are the articles of the input.
    fn close(
        mut self,
        mode: Mode,
        seen: &AtomicU64,
        stopped: Result<Option<Stop>, RunError>,
    ) -> Result<Outcome, RunError> {
        self.journal.sync().map_err(output_error(self.path))?;
        if let Some(mut side) = self.side.take() {
            side.journal.sync().map_err(output_error(&side.path))?;
            self.meter.counts = rewrite::publish(self.path, &side.path)?;
        }
        if matches!(stopped, Ok(None)) {
            // An updated file holds what it has seen, not what the folder has now.
            let all = if mode == Mode::Update {
                self.meter.counts.records()
            } else {
                seen.load(Ordering::Relaxed)
            };
            self.manifest.articles = Some(all);
            self.manifest.complete = true;
        }
        self.write_manifest()?;
        Ok(self.meter.outcome(stopped?))
    }
}
