//! Records that are replaced: `--update` and `--retry-failed`.
//!
//! New results for old places go to a side file `OUT.jsonl.redo`, which is a journal too; at the
//! end the output is rewritten in order through a temporary file.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::Path;

use serde::Deserialize;

use super::RunError;
use super::ids::{digest, key};
use super::input::Item;
use super::job::{Mode, output_error};
use super::journal::scan;
use super::manifest::Tally;
use super::record::{Head, Source};
use crate::disk::atomic::AtomicFile;

/// What is known of the records of an output: 8 bytes each, 32 for an update.
pub(crate) struct Known {
    mode: Mode,
    /// By position: a hash of the id, whose last bit says instead whether the record failed.
    records: Vec<u64>,
    /// For updates; by id once all are there.
    past: Vec<Past>,
    /// Duplicates that have their record, by file, line and id.
    duplicates: BTreeSet<u128>,
}

/// A record that an update may keep.
struct Past {
    /// As [`key`]: a shorter hash could take one article for another.
    id: u128,
    index: u64,
    /// Hash of the text, 0 where the record failed.
    text: u64,
}

#[derive(Deserialize)]
struct Text {
    text: String,
}

impl Known {
    pub(crate) fn new(mode: Mode) -> Self {
        Self {
            mode,
            records: Vec::new(),
            past: Vec::new(),
            duplicates: BTreeSet::new(),
        }
    }

    pub(crate) fn add(&mut self, head: &Head, line: &[u8]) {
        if self.mode != Mode::Update {
            self.records
                .push(mark(&head.id, u64::from(head.error.is_some())));
            return;
        }
        // The second of a repeated id stays an error; the first is what the id means.
        if let (Some(error), Some(source)) = (&head.error, &head.source)
            && error.kind == "duplicate_id"
        {
            self.duplicates.insert(place(source, &head.id));
            return;
        }
        let text = match &head.error {
            None => serde_json::from_slice::<Text>(line).map_or(0, |t| of_text(&t.text)),
            Some(_) => 0,
        };
        self.past.push(Past {
            id: key(&head.id),
            index: head.index,
            text,
        });
    }

    /// To be called when all records are there.
    pub(crate) fn sort(&mut self) {
        self.past.sort_unstable_by_key(|past| past.id);
    }

    /// Whether the record at a position failed; `None` when it is not of this id.
    pub(crate) fn check(&self, position: u64, id: &str) -> Option<bool> {
        let record = *self.records.get(usize::try_from(position).ok()?)?;
        (mark(id, record & 1) == record).then_some(record & 1 == 1)
    }

    /// Whether an update must work on an item, whose index becomes its place in the output.
    pub(crate) fn update(&mut self, item: &mut Item, fresh: &mut u64) -> bool {
        if matches!(&item.content, Err(e) if e.kind == "duplicate_id") {
            if !self.duplicates.insert(place(&item.source, &item.id)) {
                return false;
            }
        } else if let Ok(at) = self
            .past
            .binary_search_by_key(&key(&item.id), |past| past.id)
        {
            let past = &self.past[at];
            let now = item.content.as_ref().map_or(0, |a| of_text(&a.text()));
            item.index = past.index;
            return past.text == 0 || past.text != now;
        }
        item.index = *fresh;
        *fresh += 1;
        true
    }
}

fn short(bytes: &[u8]) -> u64 {
    let mut short = [0; 8];
    short.copy_from_slice(&digest(bytes)[..8]);
    u64::from_le_bytes(short)
}

fn mark(id: &str, failed: u64) -> u64 {
    short(id.as_bytes()) & !1 | failed
}

fn of_text(text: &str) -> u64 {
    short(text.as_bytes()).max(1)
}

fn place(source: &Source, id: &str) -> u128 {
    key(&format!("\0{}\0{:?}\0{id}", source.path, source.line))
}

/// Removes a side file, if there is one.
pub(crate) fn remove(side: &Path) -> io::Result<()> {
    match fs::remove_file(side) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
        _ => Ok(()),
    }
}

/// Puts the records of the side file into their places and removes it; counts all records.
pub(crate) fn publish(path: &Path, side_path: &Path) -> Result<Tally, RunError> {
    let (error, side_error) = (output_error(path), output_error(side_path));
    let mut side = File::open(side_path).map_err(&side_error)?;
    let mut places = BTreeMap::new();
    scan(&side, |head, line, offset| {
        places.insert(head.index, (offset, line.len()));
        true
    })
    .map_err(&side_error)?;
    let mut counts = Tally::default();
    let file = File::open(path).map_err(&error)?;
    let mut out = if places.is_empty() {
        None
    } else {
        Some(AtomicFile::create(path).map_err(&error)?)
    };
    let mut failure = None;
    scan(&file, |head, line, _| {
        let mut copy = || -> io::Result<()> {
            let Some(out) = out.as_mut() else {
                counts.add(head);
                return Ok(());
            };
            match places.get(&head.index) {
                Some((offset, length)) => {
                    let mut new = vec![0; *length];
                    side.seek(SeekFrom::Start(*offset))?;
                    side.read_exact(&mut new)?;
                    if let Some(head) = Head::parse(&new) {
                        counts.add(&head);
                    }
                    out.write_all(&new)?;
                }
                None => {
                    counts.add(head);
                    out.write_all(line)?;
                }
            }
            out.write_all(b"\n")
        };
        failure = copy().err();
        failure.is_none()
    })
    .map_err(&error)?;
    if let Some(e) = failure {
        return Err(error(e));
    }
    if let Some(out) = out {
        out.commit().map_err(&error)?;
    }
    remove(side_path).map_err(&side_error)?;
    Ok(counts)
}
