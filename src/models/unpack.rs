//! What a transfer left becomes a model's file: unpacked, bounded, checked, put in its place.

use std::fs::{self, File};
use std::io::{self, Read, Write as _};
use std::path::{Path, PathBuf};

use super::fetch::FetchError;
use super::manifest::{Compression, ModelFile};
use super::store::LockedFile;
use super::verify;

/// Longest file that may unpack from a source that states no size.
const MAX_UNPACKED: u64 = 4 << 30;

/// Unpacks `part` (by its first bytes where `packing` is not stated), checks it, and puts it at
/// `staged`.
pub(super) fn settle(
    file: &ModelFile,
    from: &str,
    packing: Option<Compression>,
    staged: &Path,
    part: &Path,
) -> Result<LockedFile, FetchError> {
    let io = |source| FetchError::Io {
        path: part.to_path_buf(),
        source,
    };
    let packing = match packing {
        Some(packing) => packing,
        None => sniff(part).map_err(io)?,
    };
    let mut ready = part.to_path_buf();
    if packing != Compression::None {
        let mut name = part.as_os_str().to_owned();
        name.push(".unpacked");
        ready = PathBuf::from(name);
        let input = io::BufReader::new(File::open(part).map_err(io)?);
        let unpacked = match packing {
            Compression::Gzip => copy_bounded(
                flate2::bufread::MultiGzDecoder::new(input),
                &ready,
                file.size,
                from,
            ),
            _ => zstd::stream::read::Decoder::with_buffer(input)
                .and_then(|mut decoder| {
                    // A hostile frame may ask for gigabytes of window.
                    decoder.window_log_max(27)?;
                    Ok(decoder)
                })
                .map_err(io)
                .and_then(|decoder| copy_bounded(decoder, &ready, file.size, from)),
        };
        let _ = fs::remove_file(part);
        if let Err(error) = unpacked {
            let _ = fs::remove_file(&ready);
            return Err(error);
        }
    }
    let (size, found) = verify::hash_file(&ready).map_err(io)?;
    let wrong = match (file.size, &file.sha256) {
        (Some(expected), _) if expected != size => Some(FetchError::Size {
            what: from.to_owned(),
            expected,
            found: size,
        }),
        (_, Some(expected)) if *expected != found => {
            let expected = expected.clone();
            Some(FetchError::Hash {
                what: from.to_owned(),
                expected,
                found: found.clone(),
            })
        }
        _ => None,
    };
    if let Some(error) = wrong {
        let _ = fs::remove_file(&ready);
        return Err(error);
    }
    fs::rename(&ready, staged).map_err(io)?;
    Ok(LockedFile {
        size,
        sha256: found,
        source: from.to_owned(),
    })
}

fn sniff(path: &Path) -> io::Result<Compression> {
    let mut magic = Vec::new();
    File::open(path)?.take(4).read_to_end(&mut magic)?;
    Ok(match magic.as_slice() {
        [0x1f, 0x8b, ..] => Compression::Gzip,
        [0x28, 0xb5, 0x2f, 0xfd] => Compression::Zstd,
        _ => Compression::None,
    })
}

/// Copies to a new file, never more than the stated size.
pub(super) fn copy_bounded(
    input: impl Read,
    to: &Path,
    size: Option<u64>,
    what: &str,
) -> Result<(), FetchError> {
    let io = |source| FetchError::Io {
        path: to.to_path_buf(),
        source,
    };
    let limit = size.unwrap_or(MAX_UNPACKED);
    let mut output = File::create(to).map_err(io)?;
    let mut input = input.take(limit.saturating_add(1));
    let mut buffer = vec![0; 1 << 16];
    let mut written = 0;
    loop {
        let read = match input.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => read,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
            Err(e) => {
                return Err(FetchError::Unpack {
                    what: what.to_owned(),
                    message: e.to_string(),
                });
            }
        };
        written += read as u64;
        if written > limit {
            return Err(FetchError::Size {
                what: what.to_owned(),
                expected: limit,
                found: written,
            });
        }
        output.write_all(&buffer[..read]).map_err(io)?;
    }
    output.sync_all().map_err(io)
}
