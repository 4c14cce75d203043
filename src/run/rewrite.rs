//! Records that are replaced: `--update` and `--retry-failed`.
//!
//! New results for old places go to a side file `OUT.jsonl.redo`, which is a journal too; at the
//! end the output is rewritten in order through a temporary file.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::Path;

use serde::Deserialize;

use super::RunError;
use super::ids::digest;
use super::input::Item;
use super::job::{Mode, output_error};
use super::journal::scan;
use super::manifest::Tally;
use super::record::Head;
use crate::disk::atomic::AtomicFile;

/// What is known of the records of an output, a few bytes each.
pub(crate) struct Known {
    mode: Mode,
    /// Hash of the id, and whether it failed; by position.
    records: Vec<(u64, bool)>,
    /// For updates: index and hash of the text (`None`: it failed), by hash of the id.
    by_id: BTreeMap<u64, (u64, Option<u64>)>,
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
            by_id: BTreeMap::new(),
        }
    }

    pub(crate) fn add(&mut self, head: &Head, line: &[u8]) {
        let id = short(head.id.as_bytes());
        if self.mode != Mode::Update {
            self.records.push((id, head.error.is_some()));
            return;
        }
        // The second of a repeated id stays an error; the first is what the id means.
        if head
            .error
            .as_ref()
            .is_some_and(|e| e.kind == "duplicate_id")
        {
            return;
        }
        let text = serde_json::from_slice::<Text>(line)
            .ok()
            .map(|t| short(t.text.as_bytes()));
        self.by_id
            .insert(id, (head.index, text.filter(|_| head.error.is_none())));
    }

    /// Whether the record at a position failed; `None` when it is not of this id.
    pub(crate) fn check(&self, position: u64, id: &str) -> Option<bool> {
        let (hash, failed) = self.records.get(usize::try_from(position).ok()?)?;
        (*hash == short(id.as_bytes())).then_some(*failed)
    }

    /// Whether an update must work on an item, whose index becomes its place in the output.
    pub(crate) fn update(&mut self, item: &mut Item, fresh: &mut u64) -> bool {
        let id = short(item.id.as_bytes());
        let duplicate = matches!(&item.content, Err(e) if e.kind == "duplicate_id");
        if duplicate {
            // Known as (its file and line) when its record is there.
            let key = short(
                format!(
                    "\0{}\0{:?}\0{}",
                    item.source.path, item.source.line, item.id
                )
                .as_bytes(),
            );
            if self.by_id.insert(key, (0, None)).is_some() {
                return false;
            }
        } else if let Some((index, text)) = self.by_id.get(&id) {
            let now = item
                .content
                .as_ref()
                .ok()
                .map(|a| short(a.text().as_bytes()));
            item.index = *index;
            return text.is_none() || *text != now;
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
