//! One writer at a time: a lock that the system releases when its holder dies.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

/// A held lock; dropping it, or dying, releases it.
#[derive(Debug)]
pub struct Lock {
    path: PathBuf,
    file: File,
}

/// Why a lock was not had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LockError {
    /// Another process holds it.
    #[error("another process holds {0}")]
    Held(PathBuf),
    /// The lock file could not be made.
    #[error("cannot lock {path}")]
    Io {
        /// The lock file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

impl Lock {
    /// Takes the lock at `path` at once or says who has it.
    ///
    /// The lock file is removed on release. A process that locked a file which its last holder has
    /// just removed sees that from the inode and starts again, so two never hold the lock.
    /// File systems that know no locks are let pass with a warning.
    ///
    /// # Errors
    /// [`LockError::Held`] when another process has it, else what the system said.
    pub fn acquire(path: &Path) -> Result<Self, LockError> {
        let io_error = |source| LockError::Io {
            path: path.to_path_buf(),
            source,
        };
        loop {
            let file = OpenOptions::new()
                .create(true)
                .truncate(false)
                .write(true)
                .open(path)
                .map_err(io_error)?;
            match rustix::fs::flock(&file, rustix::fs::FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => {}
                Err(rustix::io::Errno::WOULDBLOCK) => {
                    return Err(LockError::Held(path.to_path_buf()));
                }
                Err(
                    e @ (rustix::io::Errno::NOSYS
                    | rustix::io::Errno::NOTSUP
                    | rustix::io::Errno::NOLCK),
                ) => {
                    tracing::warn!("{}: this file system has no locks ({e})", path.display());
                }
                Err(e) => return Err(io_error(e.into())),
            }
            if same_file(&file, path) {
                return Ok(Self {
                    path: path.to_path_buf(),
                    file,
                });
            }
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Still held here: nobody else can hold the file that is removed.
        if same_file(&self.file, &self.path) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn same_file(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    match (file.metadata(), fs::metadata(path)) {
        (Ok(a), Ok(b)) => a.dev() == b.dev() && a.ino() == b.ino(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fails_when_a_second_writer_comes() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("out.lock");
        let first = Lock::acquire(&path).unwrap();
        assert!(matches!(Lock::acquire(&path), Err(LockError::Held(_))));
        drop(first);
        assert!(!path.exists());
        drop(Lock::acquire(&path).unwrap());
    }

    #[test]
    fn keeps_going_after_a_crash_left_the_lock_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("out.lock");
        fs::File::create(&path).unwrap();
        assert!(Lock::acquire(&path).is_ok());
    }
}
