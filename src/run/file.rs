//! A run into a file: what is there already, the rest, the manifest beside it.

use std::collections::BTreeSet;
use std::fs::{self, OpenOptions};
use std::io;
use std::path::PathBuf;
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
use super::window::Pump;
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

impl FileRun {
    pub(super) fn run(
        self,
        fingerprint: Fingerprint,
        pump: &Pump<'_>,
        progress: &mut dyn FnMut(&Snapshot),
    ) -> Result<Outcome, RunError> {
        let path = self.path.as_path();
        let error = output_error(path);
        let side_path = beside(path, ".redo");
        let (mut manifest, mode) = self.start(fingerprint)?;
        if mode != Mode::RetryFailed {
            rewrite::remove(&side_path).map_err(output_error(&side_path))?;
        }
        // What is there already.
        let mut counts = Tally::default();
        let mut known = Known::new(mode);
        let mut last = None;
        let mut records = 0;
        let expected = |record: u64| match self.shard {
            Some(shard) => record * shard.count + shard.index,
            None => record,
        };
        let mut journal = Journal::open(path, |head, line| {
            let fits = head.index == expected(records);
            if fits {
                counts.add(head);
                known.add(head, line);
                last = Some(head.index);
                records += 1;
            }
            fits
        })
        .map_err(&error)?;
        if manifest.complete
            && mode == Mode::Continue
            && manifest
                .articles
                .map(|n| self.shard.map_or(n, |s| s.share(n)))
                == Some(records)
        {
            return Ok(Outcome {
                counts,
                written: 0,
                stopped: None,
            });
        }
        let mut redone = BTreeSet::new();
        let mut side = None;
        if matches!(mode, Mode::RetryFailed | Mode::Update) {
            let keep = |head: &Head, _: &[u8]| redone.insert(head.index);
            side = Some(Journal::open(&side_path, keep).map_err(output_error(&side_path))?);
        }
        manifest.complete = false;
        manifest.counts = counts.clone();
        if let Some(kernels) = self.kernels.filter(|k| !manifest.kernels.contains(k)) {
            manifest.kernels.push(kernels);
        }
        manifest.write(path).map_err(&error)?;

        let size = manifest.fingerprint.inputs.iter().map(|i| i.bytes).sum();
        let mut meter = Meter::new(progress, counts, size);
        let items = self.input.items(Arc::clone(&meter.bytes_read));
        let (mut seen, mut own, mut fresh) = (0, 0, records);
        let articles = Arc::new(AtomicU64::new(0));
        let total = Arc::clone(&articles);
        let select = |item: &mut Item| {
            seen += 1;
            total.store(seen, Ordering::Relaxed);
            if self.shard.is_some_and(|shard| !shard.has(item.index)) {
                return Ok(false);
            }
            own += 1;
            if mode == Mode::Update {
                return Ok(known.update(item, &mut fresh));
            }
            if own > records {
                return Ok(true);
            }
            let changed = || RunError::InputChanged {
                path: path.to_path_buf(),
                line: own,
                index: item.index,
            };
            let failed = known.check(own - 1, &item.id).ok_or_else(changed)?;
            Ok(mode == Mode::RetryFailed && failed && !redone.contains(&item.index))
        };
        let mut since_sync = Stopwatch::start();
        let spent = manifest.seconds;
        let stopped = pump.run(items, select, |finished| {
            let mut lines = Vec::new();
            for one in &finished {
                match side.as_mut().filter(|_| Some(one.head.index) <= last) {
                    Some(side) => side.append(&one.line).map_err(output_error(&side_path))?,
                    None => lines.extend_from_slice(&one.line),
                }
            }
            journal.append(&lines).map_err(&error)?;
            meter.count(&finished);
            if since_sync.elapsed() >= SYNC {
                since_sync = Stopwatch::start();
                journal.sync().map_err(&error)?;
                manifest.counts = meter.counts.clone();
                manifest.seconds = spent + meter.watch.elapsed().as_secs_f64();
                manifest.write(path).map_err(&error)?;
            }
            Ok(())
        });
        journal.sync().map_err(&error)?;
        drop(journal);
        if let Some(mut side) = side {
            side.sync().map_err(output_error(&side_path))?;
            drop(side);
            meter.counts = rewrite::publish(path, &side_path)?;
        }
        manifest.seconds = spent + meter.watch.elapsed().as_secs_f64();
        manifest.counts = meter.counts.clone();
        if matches!(stopped, Ok(None)) {
            // An updated file holds what it has seen, not what the folder has now.
            let all = if mode == Mode::Update {
                manifest.counts.records()
            } else {
                articles.load(Ordering::Relaxed)
            };
            manifest.articles = Some(all);
            manifest.complete = true;
        }
        manifest.write(path).map_err(&error)?;
        Ok(meter.outcome(stopped?))
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
