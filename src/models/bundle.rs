//! Models carried to a machine without a network.
//!
//! A bundle is a tar of `ID/lock.json` and `ID/files/PATH` for each model. Importing trusts nothing
//! in it: names stay inside the model's directory, links are refused, and every size and hash is
//! checked against the lockfile before the model is published.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufReader, Read, Write as _};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::check;
use super::family::{self, Family};
use super::fetch::FetchError;
use super::manifest::{self, Manifest, Task};
use super::store::{FetchLock, LOCK_SCHEMA, LockFile, LockedFile, Store};
use super::unpack::copy_bounded;
use super::verify;

/// Why a bundle was not written or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BundleError {
    /// The model is not there.
    #[error("{id} is not installed; `tarjama models fetch {id}` brings it")]
    NotInstalled {
        /// Model id.
        id: String,
    },
    /// The disk.
    #[error("cannot read or write {path}", path = path.display())]
    Io {
        /// File.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Not a bundle, or a hostile one.
    #[error("{path}: {message}", path = path.display())]
    Refused {
        /// Bundle or directory.
        path: PathBuf,
        /// Why.
        message: String,
    },
    /// A file is not what its lockfile says.
    #[error(transparent)]
    Verify(#[from] verify::VerifyError),
    /// A file could not be copied as stated.
    #[error(transparent)]
    Copy(#[from] FetchError),
    /// No known layout.
    #[error(transparent)]
    Family(#[from] family::FamilyError),
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> BundleError + use<> {
    let path = path.to_path_buf();
    move |source| BundleError::Io { path, source }
}

/// Largest lockfile in a bundle.
const MAX_LOCK: u64 = 4 << 20;
/// Most files of one model.
const MAX_FILES: usize = 10_000;
/// Largest header of one file, long names included.
const MAX_HEADER: u64 = 1 << 20;

/// Writes installed models to a tar file, verified on the way.
///
/// # Errors
/// When a model is not installed or not what its lockfile says, or the file cannot be written.
pub fn write(store: &Store, ids: &[String], out: &Path) -> Result<(), BundleError> {
    let folder = match out.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let temporary = tempfile::NamedTempFile::new_in(folder).map_err(at(folder))?;
    let mut tar = tar::Builder::new(io::BufWriter::new(temporary));
    for id in ids {
        let (Some(lock), Some(dir)) = (store.locked(id), store.installed(id)) else {
            return Err(BundleError::NotInstalled { id: id.clone() });
        };
        if let Some(error) = verify::check_model(&dir, &lock).into_iter().next() {
            return Err(error.into());
        }
        let text = serde_json::to_string_pretty(&lock)
            .map_err(io::Error::other)
            .map_err(at(out))?;
        append(
            &mut tar,
            &format!("{id}/lock.json"),
            text.len() as u64,
            &mut text.as_bytes(),
        )
        .map_err(at(out))?;
        for (path, file) in &lock.files {
            let from = dir.join(path);
            let mut input = File::open(&from).map_err(at(&from))?;
            append(
                &mut tar,
                &format!("{id}/files/{path}"),
                file.size,
                &mut input,
            )
            .map_err(at(out))?;
        }
    }
    let mut writer = tar.into_inner().map_err(at(out))?;
    writer.flush().map_err(at(out))?;
    let temporary = writer.into_inner().map_err(|e| at(out)(e.into_error()))?;
    temporary.as_file().sync_all().map_err(at(out))?;
    temporary.persist(out).map_err(|e| at(out)(e.error))?;
    Ok(())
}

/// The same models give the same bytes: no times, no owners.
fn append<W: io::Write>(
    tar: &mut tar::Builder<W>,
    name: &str,
    size: u64,
    input: &mut dyn Read,
) -> io::Result<()> {
    let mut header = tar::Header::new_gnu();
    header.set_size(size);
    header.set_mode(0o644);
    header.set_entry_type(tar::EntryType::Regular);
    tar.append_data(&mut header, name, input.take(size))
}

/// Copies a bundle or a directory in; what was installed. `id` and `direction` name a directory
/// that no manifest describes.
///
/// # Errors
/// When it is not a model, a name leads out of it, or a file is not what is pinned.
pub fn import(
    store: &Store,
    path: &Path,
    id: Option<&str>,
    direction: Option<&str>,
) -> Result<Vec<LockFile>, BundleError> {
    if path.is_dir()
        || path
            .extension()
            .is_some_and(|e| e.eq_ignore_ascii_case("gguf"))
    {
        return Ok(vec![import_dir(store, path, id, direction)?]);
    }
    let mut magic = Vec::new();
    File::open(path)
        .map_err(at(path))?
        .take(4)
        .read_to_end(&mut magic)
        .map_err(at(path))?;
    let file = BufReader::new(File::open(path).map_err(at(path))?);
    let input: Box<dyn Read> = match magic.as_slice() {
        [0x1f, 0x8b, ..] => Box::new(flate2::bufread::MultiGzDecoder::new(file)),
        [0x28, 0xb5, 0x2f, 0xfd] => {
            Box::new(zstd::stream::read::Decoder::with_buffer(file).map_err(at(path))?)
        }
        _ => Box::new(file),
    };
    import_tar(store, path, input)
}

/// Gives no more than what is left: an archive's headers, which are read whole, stay small.
struct Rationed<R> {
    input: R,
    left: Rc<Cell<u64>>,
}

impl<R: Read> Read for Rationed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.left.get();
        if left == 0 && !buffer.is_empty() {
            let why = "a header in it is too large";
            return Err(io::Error::new(io::ErrorKind::InvalidData, why));
        }
        let most = usize::try_from(left).unwrap_or(usize::MAX);
        let most = most.min(buffer.len());
        let read = self.input.read(&mut buffer[..most])?;
        self.left.set(left - read as u64);
        Ok(read)
    }
}

/// What reading an archive failed with: the disk, or what the archive is.
fn unread(path: &Path, source: io::Error) -> BundleError {
    if source.raw_os_error().is_some() {
        return at(path)(source);
    }
    let why = source.to_string();
    let why: String = why
        .chars()
        .map(|c| {
            if c.is_control() || c == char::REPLACEMENT_CHARACTER {
                '.'
            } else {
                c
            }
        })
        .take(120)
        .collect();
    BundleError::Refused {
        path: path.to_path_buf(),
        message: format!("no bundle that can be read ({why})"),
    }
}

/// One model of a bundle while its files come.
struct Incoming {
    lock: LockFile,
    _held: FetchLock,
    staged: tempfile::TempDir,
    seen: BTreeMap<String, ()>,
}

fn import_tar(
    store: &Store,
    path: &Path,
    input: Box<dyn Read>,
) -> Result<Vec<LockFile>, BundleError> {
    let refuse = |message: String| BundleError::Refused {
        path: path.to_path_buf(),
        message,
    };
    let left = Rc::new(Cell::new(MAX_HEADER));
    let mut archive = tar::Archive::new(Rationed {
        input,
        left: Rc::clone(&left),
    });
    let mut models: BTreeMap<String, Incoming> = BTreeMap::new();
    let mut entries = archive.entries().map_err(|e| unread(path, e))?;
    loop {
        left.set(MAX_HEADER);
        let Some(entry) = entries.next() else { break };
        let mut entry = entry.map_err(|e| unread(path, e))?;
        left.set(u64::MAX);
        let kind = entry.header().entry_type();
        let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        if kind.is_dir() {
            continue;
        }
        if !kind.is_file() {
            return Err(refuse(format!("`{name}` is a link or device, not a file")));
        }
        let name = name.strip_prefix("./").unwrap_or(&name).to_owned();
        if manifest::safe_relative(&name).is_none() {
            return Err(refuse(format!("`{name}` leads out of the bundle")));
        }
        let (id, rest) = name.split_once('/').ok_or_else(|| {
            refuse(format!(
                "`{name}` is not part of a bundle (ID/lock.json, ID/files/..)"
            ))
        })?;
        if rest == "lock.json" {
            let mut text = String::new();
            (&mut entry)
                .take(MAX_LOCK)
                .read_to_string(&mut text)
                .map_err(|e| unread(path, e))?;
            let lock = LockFile::parse(&text).map_err(|e| refuse(format!("`{name}`: {e}")))?;
            if lock.manifest.id != id || lock.files.len() > MAX_FILES || lock.files.is_empty() {
                return Err(refuse(format!("`{name}` is not the lockfile of {id}")));
            }
            // Staging waits for whoever holds the model: that must not be this bundle itself.
            if models.contains_key(id) {
                return Err(refuse(format!("`{name}` stands twice")));
            }
            models.insert(id.to_owned(), stage(store, lock)?);
            continue;
        }
        let incoming = models
            .get_mut(id)
            .ok_or_else(|| refuse(format!("`{name}` stands before its lock.json")))?;
        let file = rest.strip_prefix("files/").unwrap_or(rest);
        let pinned = incoming
            .lock
            .files
            .get(file)
            .ok_or_else(|| refuse(format!("`{name}` is not in its lock.json")))?;
        let to = incoming.staged.path().join(file);
        if let Some(parent) = to.parent() {
            fs::create_dir_all(parent).map_err(at(parent))?;
        }
        copy_bounded(&mut entry, &to, Some(pinned.size), &name)?;
        verify::check_file(&to, Some(pinned.size), Some(&pinned.sha256))?;
        incoming.seen.insert(file.to_owned(), ());
    }
    if models.is_empty() {
        return Err(refuse("holds no model (ID/lock.json)".to_owned()));
    }
    for (id, incoming) in &models {
        if let Some(file) = incoming
            .lock
            .files
            .keys()
            .find(|f| !incoming.seen.contains_key(*f))
        {
            return Err(refuse(format!("`{file}` of {id} is missing")));
        }
    }
    let mut installed = Vec::new();
    for incoming in models.into_values() {
        let staged = incoming.staged.path();
        store.publish(staged, &incoming.lock).map_err(at(staged))?;
        installed.push(incoming.lock);
    }
    Ok(installed)
}

fn stage(store: &Store, lock: LockFile) -> Result<Incoming, BundleError> {
    let id = &lock.manifest.id;
    let home = store
        .home(id)
        .ok_or_else(|| BundleError::NotInstalled { id: id.clone() })?;
    let held = FetchLock::take(&home, &|| {}).map_err(at(&home))?;
    let staged = tempfile::tempdir_in(&home).map_err(at(&home))?;
    Ok(Incoming {
        lock,
        _held: held,
        staged,
        seen: BTreeMap::new(),
    })
}

fn import_dir(
    store: &Store,
    path: &Path,
    id: Option<&str>,
    direction: Option<&str>,
) -> Result<LockFile, BundleError> {
    let refuse = |message: String| BundleError::Refused {
        path: path.to_path_buf(),
        message,
    };
    let family = family::detect(path)?;
    let mut files = BTreeMap::new();
    let mut from = BTreeMap::new();
    let mut paths = vec![path.to_path_buf()];
    if path.is_dir() {
        paths = fs::read_dir(path)
            .map_err(at(path))?
            .flatten()
            .map(|e| e.path())
            .collect();
    }
    for file in paths.into_iter().filter(|p| p.is_file()) {
        let name = file
            .file_name()
            .and_then(|n| n.to_str())
            .unwrap_or_default()
            .to_owned();
        if manifest::safe_relative(&name).is_none() {
            continue;
        }
        let (size, sha256) = verify::hash_file(&file).map_err(at(&file))?;
        files.insert(
            name.clone(),
            LockedFile {
                size,
                sha256,
                source: "imported".to_owned(),
            },
        );
        from.insert(name, file);
    }
    let known = store.manifests().map_err(|e| refuse(e.to_string()))?;
    let mut manifest = match known.into_iter().find(|m| describes(m, &files)) {
        Some(manifest) => {
            // Its own files alone; notes that lie beside them stay where they are.
            files.retain(|name, _| manifest.file.iter().any(|f| &f.path == name));
            manifest
        }
        None => {
            if let Some(why) = check::damage(&from) {
                return Err(refuse(why));
            }
            own_manifest(path, family, &files, direction).map_err(refuse)?
        }
    };
    if let Some(id) = id {
        id.clone_into(&mut manifest.id);
    }
    manifest.check("--id").map_err(|e| refuse(e.to_string()))?;
    let weights = files
        .values()
        .max_by_key(|f| f.size)
        .map(|f| f.sha256[..12].to_owned());
    let revision = weights.ok_or_else(|| refuse("holds no files".to_owned()))?;
    let lock = LockFile {
        schema: LOCK_SCHEMA.to_owned(),
        revision,
        manifest,
        files,
    };
    let incoming = stage(store, lock)?;
    for (name, pinned) in &incoming.lock.files {
        let to = incoming.staged.path().join(name);
        let input = File::open(&from[name]).map_err(at(&from[name]))?;
        copy_bounded(input, &to, Some(pinned.size), name)?;
        verify::check_file(&to, Some(pinned.size), Some(&pinned.sha256))?;
    }
    store
        .publish(incoming.staged.path(), &incoming.lock)
        .map_err(at(path))?;
    Ok(incoming.lock)
}

/// All files of the manifest are here, and at least the weights have its hash.
fn describes(manifest: &Manifest, files: &BTreeMap<String, LockedFile>) -> bool {
    manifest.file.iter().any(|f| f.sha256.is_some())
        && manifest.file.iter().all(|f| {
            files
                .get(&f.path)
                .is_some_and(|found| f.sha256.as_ref().is_none_or(|hash| hash == &found.sha256))
        })
}

fn own_manifest(
    path: &Path,
    family: Family,
    files: &BTreeMap<String, LockedFile>,
    direction: Option<&str>,
) -> Result<Manifest, String> {
    let stem = path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
    let stem = if path.is_dir() {
        stem.file_name()
    } else {
        stem.file_stem()
    };
    let plain = |c: char| {
        if c.is_ascii_alphanumeric() || "-_.".contains(c) {
            c
        } else {
            '-'
        }
    };
    let id: String = stem
        .map(|s| s.to_string_lossy().chars().map(plain).collect())
        .unwrap_or_default();
    // Firefox's files carry their direction: model.enar.intgemm.alphas.bin.
    let from_name = || {
        let name = files
            .keys()
            .find(|n| n.starts_with("model") && n.ends_with(".bin"))?;
        let pair = name.split('.').find(|p| p.len() == 4 && p.is_ascii())?;
        let direction = format!("{}-{}", &pair[..2], &pair[2..]);
        manifest::parse_direction(&direction).map(|_| direction)
    };
    let direction = match direction {
        Some(direction) => Some(direction.to_owned()),
        None if family == Family::Firefox => {
            Some(from_name().ok_or("its direction is not known; name it with --direction en-ar")?)
        }
        None => None,
    };
    Ok(Manifest {
        id: id.trim_start_matches(['.', '-']).to_owned(),
        about: format!("imported, {family} layout"),
        task: if family == Family::Gguf {
            Task::Chat
        } else {
            Task::Translate
        },
        family,
        architecture: None,
        directions: direction.into_iter().collect(),
        languages: Vec::new(),
        licence: "not stated".to_owned(),
        consent: None,
        recommended: false,
        rank: 50,
        revision: None,
        hub: None,
        file: Vec::new(),
    })
}
