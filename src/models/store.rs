//! The cache of fetched models.
//!
//! ```text
//! CACHE/models/ID/lock.json        what is installed: revision, manifest, pinned size and SHA-256
//! CACHE/models/ID/REVISION/...     the files
//! CACHE/models/ID/partial/...      a fetch under way; survives it, so that the next one resumes
//! CACHE/models/ID/fetch.lock       held by the one process that fetches
//! ```
//! `lock.json` is replaced last and atomically, so a model is installed whole or not at all.
//! Reading needs no right to write: a cache on a read-only mount serves.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::family::Family;
use super::manifest::{self, Manifest, Task};
use crate::text::Direction;

/// What is pinned about one file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LockedFile {
    /// Bytes.
    pub size: u64,
    /// SHA-256 as it lies on disk.
    pub sha256: String,
    /// Where it came from.
    #[serde(default)]
    pub source: String,
}

/// The lockfile of one installed model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LockFile {
    /// Form of this file.
    pub schema: String,
    /// Name of the folder with the files.
    pub revision: String,
    /// The manifest that it was fetched by.
    pub manifest: Manifest,
    /// Every file of the model.
    pub files: BTreeMap<String, LockedFile>,
}

/// Form of lockfiles that this program writes.
pub const LOCK_SCHEMA: &str = "tarjama-lock/1";

/// Largest lockfile.
const MAX_LOCK: u64 = 4 << 20;

impl LockFile {
    /// Reads a lockfile and checks every name in it.
    ///
    /// # Errors
    /// When it is not one, or names a path outside the model.
    pub fn parse(text: &str) -> Result<Self, String> {
        let lock: Self = serde_json::from_str(text).map_err(|e| e.to_string())?;
        if lock.schema != LOCK_SCHEMA {
            return Err(format!(
                "schema `{}` is not known; {LOCK_SCHEMA} is expected",
                lock.schema
            ));
        }
        lock.manifest
            .check("lock.json")
            .map_err(|e| e.to_string())?;
        if !manifest::is_plain_name(&lock.revision) {
            return Err(format!("revision `{}` is not a plain name", lock.revision));
        }
        for (path, file) in &lock.files {
            if manifest::safe_relative(path).is_none() {
                return Err(format!("`{path}` leads out of the model's directory"));
            }
            if !manifest::is_sha256(&file.sha256) {
                return Err(format!(
                    "the hash of `{path}` is not 64 lower-case hex digits"
                ));
            }
        }
        Ok(lock)
    }

    /// Bytes of all files.
    #[must_use]
    pub fn total_size(&self) -> u64 {
        let sizes = self.files.values().map(|f| f.size);
        sizes.fold(0, u64::saturating_add)
    }
}

/// The cache of models.
#[derive(Clone, Debug)]
pub struct Store {
    root: PathBuf,
    manifests: Option<PathBuf>,
}

impl Store {
    /// The store of this cache folder; nothing is created before something is fetched.
    #[must_use]
    pub fn new(cache: PathBuf) -> Self {
        Self {
            root: cache.join("models"),
            manifests: None,
        }
    }

    /// Also knows the user's own manifests in this folder.
    #[must_use]
    pub fn with_manifests(mut self, dir: Option<PathBuf>) -> Self {
        self.manifests = dir;
        self
    }

    /// Folder of all models.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Folder of one model, in whatever capitals its id is written; `None` for an id that is not a
    /// plain name.
    pub(crate) fn home(&self, id: &str) -> Option<PathBuf> {
        if !manifest::is_plain_name(id) {
            return None;
        }
        let home = self.root.join(id);
        if home.exists() {
            return Some(home);
        }
        let same = self.ids().into_iter().find(|i| i.eq_ignore_ascii_case(id));
        Some(same.map_or(home, |id| self.root.join(id)))
    }

    /// Every manifest: built in, the user's own, and those of imported models.
    ///
    /// # Errors
    /// When a manifest of the user's is not valid.
    pub fn manifests(&self) -> Result<Vec<Manifest>, manifest::ManifestError> {
        let mut all = manifest::all(self.manifests.as_deref())?;
        for lock in self.list() {
            if !all.iter().any(|m| m.id == lock.manifest.id) {
                all.push(lock.manifest);
            }
        }
        Ok(all)
    }

    /// The manifest of an id.
    ///
    /// # Errors
    /// When a manifest of the user's is not valid.
    pub fn find(&self, id: &str) -> Result<Option<Manifest>, manifest::ManifestError> {
        Ok(self.manifests()?.into_iter().find(|m| m.is_named(id)))
    }

    /// The lockfile of an installed model whose files are all there with their sizes.
    #[must_use]
    pub fn locked(&self, id: &str) -> Option<LockFile> {
        let home = self.home(id)?;
        let mut text = String::new();
        File::open(home.join("lock.json"))
            .ok()?
            .take(MAX_LOCK)
            .read_to_string(&mut text)
            .ok()?;
        let lock = match LockFile::parse(&text) {
            Ok(lock) => lock,
            Err(error) => {
                tracing::warn!("{}: {error}", home.join("lock.json").display());
                return None;
            }
        };
        if !lock.manifest.id.eq_ignore_ascii_case(id) {
            return None;
        }
        let dir = home.join(&lock.revision);
        let whole = lock.files.iter().all(|(path, file)| {
            fs::metadata(dir.join(path)).is_ok_and(|m| m.is_file() && m.len() == file.size)
        });
        whole.then_some(lock)
    }

    /// The directory of an installed model.
    #[must_use]
    pub fn installed(&self, id: &str) -> Option<PathBuf> {
        let lock = self.locked(id)?;
        Some(self.home(id)?.join(lock.revision))
    }

    /// All ids that have a lockfile, whole or not.
    #[must_use]
    pub fn ids(&self) -> Vec<String> {
        let Ok(entries) = fs::read_dir(&self.root) else {
            return Vec::new();
        };
        let mut ids: Vec<String> = entries
            .flatten()
            .filter(|e| e.path().join("lock.json").is_file())
            .filter_map(|e| e.file_name().into_string().ok())
            .collect();
        ids.sort();
        ids
    }

    /// All installed models, by id.
    #[must_use]
    pub fn list(&self) -> Vec<LockFile> {
        self.ids().iter().filter_map(|id| self.locked(id)).collect()
    }

    /// The best installed model for a direction among those that this build runs.
    #[must_use]
    pub fn best_for(&self, direction: Direction) -> Option<(Manifest, PathBuf)> {
        let best = self
            .list()
            .into_iter()
            .filter(|lock| runnable(&lock.manifest) && lock.manifest.translates(direction))
            .max_by(|a, b| {
                // Equal ranks: the first id, so that the choice never hangs on folder order.
                let (a, b) = (&a.manifest, &b.manifest);
                a.rank.cmp(&b.rank).then_with(|| b.id.cmp(&a.id))
            })?;
        let dir = self.home(&best.manifest.id)?.join(&best.revision);
        Some((best.manifest, dir))
    }

    /// Publishes a directory as an installed model: the files first, the lockfile last.
    pub(crate) fn publish(&self, staged: &Path, lock: &LockFile) -> io::Result<PathBuf> {
        let home = self
            .home(&lock.manifest.id)
            .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "not a plain model id"))?;
        let target = home.join(&lock.revision);
        for path in lock.files.keys() {
            let to = target.join(path);
            if let Some(parent) = to.parent() {
                fs::create_dir_all(parent)?;
            }
            fs::rename(staged.join(path), to)?;
        }
        sync_dir(&target)?;
        let text = serde_json::to_string_pretty(lock).map_err(io::Error::other)?;
        replace(&home.join("lock.json"), text.as_bytes())?;
        Ok(target)
    }
}

/// This build has an engine for the model.
#[must_use]
pub fn runnable(manifest: &Manifest) -> bool {
    match manifest.family {
        Family::Firefox => true,
        Family::Gguf => manifest.architecture.as_deref() == Some("llama"),
        // Encoder-decoder models; chat models come as GGUF.
        Family::Hf | Family::Ctranslate2 => manifest.task != Task::Chat,
    }
}

/// Replaces a file whole: a temporary beside it, synced, renamed, the folder synced.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let dir = path.parent().unwrap_or(Path::new("."));
    let mut temporary = tempfile::NamedTempFile::new_in(dir)?;
    temporary.write_all(bytes)?;
    temporary.as_file().sync_all()?;
    // Models are shared between users of a machine; temporaries are private by default.
    set_shared_mode(temporary.as_file())?;
    temporary.persist(path).map_err(|e| e.error)?;
    sync_dir(dir)
}

#[cfg(unix)]
fn set_shared_mode(file: &File) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    file.set_permissions(fs::Permissions::from_mode(0o644))
}

#[cfg(not(unix))]
fn set_shared_mode(_file: &File) -> io::Result<()> {
    Ok(())
}

#[cfg(unix)]
pub(crate) fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

#[cfg(not(unix))]
pub(crate) fn sync_dir(_dir: &Path) -> io::Result<()> {
    Ok(())
}

/// Holds a model's fetch lock until dropped; a crash releases it.
#[derive(Debug)]
pub(crate) struct FetchLock(#[expect(dead_code, reason = "held for its lock")] File);

impl FetchLock {
    /// Waits for the lock; `waiting` is called once when another process holds it.
    pub(crate) fn take(home: &Path, waiting: &dyn Fn()) -> io::Result<Self> {
        fs::create_dir_all(home)?;
        let file = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(home.join("fetch.lock"))?;
        lock(&file, waiting)?;
        Ok(Self(file))
    }
}

#[cfg(unix)]
fn lock(file: &File, waiting: &dyn Fn()) -> io::Result<()> {
    use rustix::fs::{FlockOperation, flock};
    if flock(file, FlockOperation::NonBlockingLockExclusive).is_ok() {
        return Ok(());
    }
    waiting();
    loop {
        match flock(file, FlockOperation::LockExclusive) {
            Ok(()) => return Ok(()),
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

#[cfg(not(unix))]
fn lock(_file: &File, _waiting: &dyn Fn()) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_as_runnable_what_has_an_engine() {
        for (id, runs) in [
            ("firefox-en-ar", true),
            ("opus-mt-en-ar", true),
            ("nllb-200-600m", true),
            ("bart-large-cnn", true),
            ("smollm2-135m", true),
            ("translategemma-4b", false),
            ("qwen3-4b-gguf", false),
        ] {
            let manifest = manifest::find(id).unwrap();
            assert_eq!(runnable(&manifest), runs, "{id}");
        }
    }
}
