//! The output file as a journal: it grows by whole lines and is cut back to them.

use std::fs::{File, OpenOptions};
use std::io::{self, BufReader, Seek, SeekFrom, Write};
use std::path::Path;

use super::record::Head;
use crate::disk::atomic::sync_folder;
use crate::disk::lines::{Line, read_line};

/// An output file that is open for appending.
#[derive(Debug)]
pub(crate) struct Journal {
    file: File,
}

/// Longest record line that is taken for one.
const MAX_LINE: usize = 1 << 30;

impl Journal {
    /// Opens the file, made if missing, reads its records in order, and cuts off what follows the
    /// last whole one that `keep` takes: a torn line, or blocks that a power loss left empty.
    ///
    /// # Errors
    /// When the file cannot be read or cut.
    pub(crate) fn open(
        path: &Path,
        mut keep: impl FnMut(&Head, &[u8]) -> bool,
    ) -> io::Result<Self> {
        let mut file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .open(path)?;
        let good = scan(&file, |head, line, _| keep(head, line))?;
        if file.metadata()?.len() != good {
            file.set_len(good)?;
            file.sync_all()?;
        }
        file.seek(SeekFrom::Start(good))?;
        sync_folder(path)?;
        Ok(Self { file })
    }

    /// Writes whole lines.
    ///
    /// # Errors
    /// When the disk is full; a torn line is cut off when the run goes on.
    pub(crate) fn append(&mut self, lines: &[u8]) -> io::Result<()> {
        self.file.write_all(lines)
    }

    /// Makes what was written durable.
    ///
    /// # Errors
    /// What the system says.
    pub(crate) fn sync(&mut self) -> io::Result<()> {
        self.file.sync_data()
    }
}

/// Reads whole records from the start of a file; gives the bytes up to the last one taken.
///
/// `take` gets the record, its line and the line's offset, and says whether it is taken; the first
/// that is not ends the scan.
pub(crate) fn scan(
    file: &File,
    mut take: impl FnMut(&Head, &[u8], u64) -> bool,
) -> io::Result<u64> {
    let mut reader = BufReader::with_capacity(1 << 20, file);
    reader.seek(SeekFrom::Start(0))?;
    let (mut buffer, mut good) = (Vec::new(), 0);
    loop {
        let mut bytes = 0;
        let line = read_line(&mut reader, &mut buffer, MAX_LINE, |piece| {
            bytes += piece.len()
        })?;
        let Some(Line::Whole { ended: true }) = line else {
            return Ok(good);
        };
        let Some(head) = Head::parse(&buffer) else {
            return Ok(good);
        };
        if !take(&head, &buffer, good) {
            return Ok(good);
        }
        good += bytes as u64 + 1;
    }
}
