//! Size and SHA-256 of files.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use super::store::LockFile;

/// One file that is not what its lockfile says.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// Not readable.
    #[error("cannot read {path}", path = path.display())]
    Read {
        /// File.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Another size.
    #[error("{path} has {found} bytes, {expected} are pinned", path = path.display())]
    Size {
        /// File.
        path: PathBuf,
        /// Bytes on disk.
        found: u64,
        /// Bytes pinned.
        expected: u64,
    },
    /// Other bytes.
    #[error("{path} has SHA-256 {found}, {expected} is pinned", path = path.display())]
    Hash {
        /// File.
        path: PathBuf,
        /// Hash on disk.
        found: String,
        /// Hash pinned.
        expected: String,
    },
}

/// A digest in lower-case hex.
#[must_use]
pub fn hex(digest: &[u8]) -> String {
    use std::fmt::Write as _;
    digest
        .iter()
        .fold(String::with_capacity(digest.len() * 2), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
}

/// Bytes and SHA-256 of everything that `reader` gives.
///
/// # Errors
/// When it fails.
pub fn hash_reader(reader: &mut dyn Read) -> io::Result<(u64, String)> {
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 16];
    let mut size = 0;
    loop {
        match reader.read(&mut buffer) {
            Ok(0) => return Ok((size, hex(&hasher.finalize()))),
            Ok(n) => {
                hasher.update(&buffer[..n]);
                size += n as u64;
            }
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
}

/// Bytes and SHA-256 of a file.
///
/// # Errors
/// When it cannot be read.
pub fn hash_file(path: &Path) -> io::Result<(u64, String)> {
    hash_reader(&mut File::open(path)?)
}

/// Checks one file.
///
/// # Errors
/// When it cannot be read or differs from what is known about it.
pub fn check_file(path: &Path, size: Option<u64>, sha256: Option<&str>) -> Result<(), VerifyError> {
    let read = |source| VerifyError::Read {
        path: path.to_path_buf(),
        source,
    };
    let found = std::fs::metadata(path).map_err(read)?.len();
    if let Some(expected) = size.filter(|s| *s != found) {
        return Err(VerifyError::Size {
            path: path.to_path_buf(),
            found,
            expected,
        });
    }
    if let Some(expected) = sha256 {
        let (_, found) = hash_file(path).map_err(read)?;
        if found != expected {
            let expected = expected.to_owned();
            return Err(VerifyError::Hash {
                path: path.to_path_buf(),
                found,
                expected,
            });
        }
    }
    Ok(())
}

/// Checks every file of an installed model; all that is wrong, in the order of paths.
#[must_use]
pub fn check_model(dir: &Path, lock: &LockFile) -> Vec<VerifyError> {
    lock.files
        .iter()
        .filter_map(|(path, file)| {
            check_file(&dir.join(path), Some(file.size), Some(&file.sha256)).err()
        })
        .collect()
}
