//! Moves the bytes of one address to one file, and survives what networks do.
//!
//! A transfer goes to `NAME.part`, with the server's validator (a strong ETag, else Last-Modified)
//! in `NAME.part.json`. A later attempt, of this process or another, asks for the rest with `Range`
//! and `If-Range`; a server whose file has changed, or that knows no ranges, sends the whole and
//! the transfer starts over. Redirects are followed here rather than by the HTTP library, because
//! a token must reach the host that it belongs to and no other.

use std::cell::Cell;
use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use ureq::http::{Response, Uri};
use ureq::{Agent, Body};

use super::fetch::{FetchError, FetchOptions, Progress};
use super::verify;

/// What is asked for, and what is known about it before it comes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Remote {
    pub(crate) url: String,
    /// Sent to the first host only.
    pub(crate) headers: Vec<(String, String)>,
    /// Bytes as they travel.
    pub(crate) size: Option<u64>,
    /// SHA-256 as they travel.
    pub(crate) sha256: Option<String>,
}

/// Longest transfer of unknown size.
const MAX_UNKNOWN: u64 = 256 << 30;
const MAX_REDIRECTS: u32 = 8;
/// Longest wait that a server may ask for.
const MAX_WAIT: Duration = Duration::from_secs(60);

#[derive(Serialize, Deserialize, Default)]
struct Resume {
    url: String,
    validator: String,
}

pub(crate) struct Client<'a> {
    agent: Agent,
    options: &'a FetchOptions,
    start: Instant,
    answered: Cell<bool>,
}

/// How one attempt went wrong.
enum Attempt {
    /// No later attempt can do better.
    Final(FetchError),
    /// The server asks to wait this long, or `None`: back off.
    Later(FetchError, Option<Duration>),
    /// The connection broke after this many new bytes.
    Broken(FetchError, u64),
}

impl<'a> Client<'a> {
    pub(crate) fn new(options: &'a FetchOptions) -> Self {
        let agent = Agent::config_builder()
            .max_redirects(0)
            .http_status_as_error(false)
            .timeout_per_read(Some(options.stall))
            .user_agent(concat!("tarjama/", env!("CARGO_PKG_VERSION")))
            .accept_encoding("identity")
            .build()
            .into();
        Self {
            agent,
            options,
            start: Instant::now(),
            answered: Cell::new(false),
        }
    }

    /// Time that the next connection may take; an error once nobody has answered for too long.
    fn patience(&self, url: &str) -> Result<Duration, FetchError> {
        let patience = self.options.patience;
        match self.options.give_up_after {
            Some(limit) if !self.answered.get() => {
                let left = limit.saturating_sub(self.start.elapsed());
                if left < Duration::from_millis(50) {
                    let message = format!("no answer within {} s", limit.as_secs());
                    return Err(FetchError::Network {
                        url: url.to_owned(),
                        message,
                    });
                }
                Ok(patience.min(left))
            }
            _ => Ok(patience),
        }
    }

    /// One request, redirects followed.
    fn send(
        &self,
        remote: &Remote,
        extra: &[(&str, String)],
        body: Option<&str>,
    ) -> Result<Response<Body>, FetchError> {
        let network = |url: &str, message: String| FetchError::Network {
            url: url.to_owned(),
            message,
        };
        let first: Uri = remote
            .url
            .parse()
            .map_err(|_| network(&remote.url, "not a valid address".into()))?;
        let mut uri = first.clone();
        for _ in 0..=MAX_REDIRECTS {
            let url = uri.to_string();
            let patience = self.patience(&url)?;
            let mut headers: Vec<(&str, &str)> =
                extra.iter().map(|(k, v)| (*k, v.as_str())).collect();
            let token = self.options.token_for(&uri).map(|t| format!("Bearer {t}"));
            if let Some(token) = &token {
                headers.push(("Authorization", token));
            }
            if same_place(&uri, &first) {
                headers.extend(remote.headers.iter().map(|(k, v)| (k.as_str(), v.as_str())));
            }
            let response = match body {
                None => {
                    let request = self
                        .agent
                        .get(&url)
                        .config()
                        .timeout_resolve(Some(patience))
                        .timeout_connect(Some(patience))
                        .timeout_recv_response(Some(patience))
                        .build();
                    headers
                        .iter()
                        .fold(request, |r, (k, v)| r.header(*k, *v))
                        .call()
                }
                Some(body) => {
                    let request = self
                        .agent
                        .post(&url)
                        .config()
                        .timeout_resolve(Some(patience))
                        .timeout_connect(Some(patience))
                        .timeout_recv_response(Some(patience))
                        .build();
                    headers
                        .iter()
                        .fold(request, |r, (k, v)| r.header(*k, *v))
                        .send(body)
                }
            };
            let response = response.map_err(|e| network(&url, e.to_string()))?;
            self.answered.set(true);
            if !matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
                return Ok(response);
            }
            let location = header(&response, "location")
                .ok_or_else(|| network(&url, "a redirect without a target".into()))?;
            let next = resolve(&uri, &location).ok_or_else(|| {
                network(
                    &url,
                    format!("a redirect to `{location}`, which is no address"),
                )
            })?;
            if uri.scheme_str() == Some("https") && next.scheme_str() != Some("https") {
                return Err(network(&url, format!("a redirect from https to {next}")));
            }
            uri = next;
        }
        Err(network(
            &remote.url,
            format!("more than {MAX_REDIRECTS} redirects"),
        ))
    }

    /// A short text (a list of records); at most 64 MiB.
    pub(crate) fn text(&self, remote: &Remote, body: Option<&str>) -> Result<String, FetchError> {
        let mut failures = 0;
        loop {
            let attempt = (|| {
                let mut response = self
                    .send(remote, &[], body)
                    .map_err(|e| Attempt::Broken(e, 0))?;
                refuse_status(&response, &remote.url)?;
                response
                    .body_mut()
                    .with_config()
                    .limit(64 << 20)
                    .read_to_string()
                    .map_err(|e| {
                        let url = remote.url.clone();
                        Attempt::Broken(
                            FetchError::Network {
                                url,
                                message: e.to_string(),
                            },
                            0,
                        )
                    })
            })();
            match attempt {
                Ok(text) => return Ok(text),
                Err(error) => self.again(error, &mut failures)?,
            }
        }
    }

    /// Waits before the next attempt, or gives the error back when there shall be none.
    fn again(&self, attempt: Attempt, failures: &mut u32) -> Result<(), FetchError> {
        let (error, wait) = match attempt {
            Attempt::Final(error) => return Err(error),
            // A transfer that goes forward may break as often as it likes.
            Attempt::Broken(error, new) if new >= (1 << 20) => {
                *failures = 0;
                (error, None)
            }
            Attempt::Broken(error, _) => (error, None),
            Attempt::Later(error, wait) => (error, wait),
        };
        *failures += 1;
        if *failures >= self.options.attempts.max(1) {
            return Err(error);
        }
        let back_off = self
            .options
            .back_off
            .saturating_mul(1 << (*failures - 1).min(6));
        let wait = wait.unwrap_or(back_off).min(MAX_WAIT);
        tracing::info!("{error}; trying again in {} ms", wait.as_millis());
        std::thread::sleep(wait);
        Ok(())
    }

    /// Brings `remote` to `part` whole; resumes what an earlier attempt left there.
    pub(crate) fn download(&self, remote: &Remote, part: &Path) -> Result<(), FetchError> {
        let mut failures = 0;
        loop {
            match self.attempt(remote, part) {
                Ok(()) => {
                    let _ = fs::remove_file(note(part));
                    return Ok(());
                }
                Err(error) => self.again(error, &mut failures)?,
            }
        }
    }

    fn attempt(&self, remote: &Remote, part: &Path) -> Result<(), Attempt> {
        let io_error = |source| {
            Attempt::Final(FetchError::Io {
                path: part.to_path_buf(),
                source,
            })
        };
        let mut resume = read_note(part)
            .filter(|r| r.url == remote.url)
            .unwrap_or_default();
        let mut offset = match fs::metadata(part) {
            Ok(meta) if !resume.validator.is_empty() => meta.len(),
            _ => 0,
        };
        let extra = if offset > 0 {
            vec![
                ("Range", format!("bytes={offset}-")),
                ("If-Range", resume.validator.clone()),
            ]
        } else {
            Vec::new()
        };
        let response = self
            .send(remote, &extra, None)
            .map_err(|e| Attempt::Broken(e, 0))?;
        let status = response.status().as_u16();
        if status == 416 && offset > 0 {
            // All was here already, unless it is not what was asked for.
            let total = header(&response, "content-range")
                .and_then(|r| r.rsplit_once('/')?.1.parse::<u64>().ok());
            let stated = remote.size.or(total);
            if stated == Some(offset) {
                return finish(remote, part, offset);
            }
            forget(part);
            return Err(Attempt::Broken(
                size_error(remote, stated.unwrap_or(0), offset),
                0,
            ));
        }
        refuse_status(&response, &remote.url)?;
        let validator = validator(&response);
        if status == 206 {
            let range = header(&response, "content-range").and_then(|r| parse_range(&r));
            let same = validator.is_empty() || validator == resume.validator;
            if range.map(|r| r.0) != Some(offset) || !same {
                // Not the rest of what is here: the next attempt asks for the whole.
                forget(part);
                let message = "the file changed between two parts".to_owned();
                return Err(Attempt::Broken(
                    FetchError::Network {
                        url: remote.url.clone(),
                        message,
                    },
                    0,
                ));
            }
            if let (Some(expected), Some(found)) = (remote.size, range.and_then(|r| r.1))
                && expected != found
            {
                forget(part);
                return Err(Attempt::Final(size_error(remote, expected, found)));
            }
        } else {
            offset = 0;
            resume = Resume {
                url: remote.url.clone(),
                validator,
            };
        }
        let length = header(&response, "content-length").and_then(|l| l.parse::<u64>().ok());
        let stated = length.map(|l| l.saturating_add(offset));
        if let (Some(expected), Some(found)) = (remote.size, stated)
            && expected != found
        {
            forget(part);
            return Err(Attempt::Final(size_error(remote, expected, found)));
        }
        let total = remote.size.or(stated);

        let mut file = if offset == 0 {
            forget(part);
            if !resume.validator.is_empty() {
                write_note(part, &resume).map_err(io_error)?;
            }
            File::create(part).map_err(io_error)?
        } else {
            File::options().append(true).open(part).map_err(io_error)?
        };
        let mut reader = response.into_body().into_reader();
        let mut buffer = vec![0; 1 << 17];
        let mut at = offset;
        loop {
            let read = match reader.read(&mut buffer) {
                Ok(read) => read,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                Err(e) => {
                    let _ = file.sync_data();
                    let message = format!("the transfer broke off after {at} bytes: {e}");
                    let error = FetchError::Network {
                        url: remote.url.clone(),
                        message,
                    };
                    return Err(Attempt::Broken(error, at - offset));
                }
            };
            if read == 0 {
                break;
            }
            at += read as u64;
            if at > total.unwrap_or(MAX_UNKNOWN) {
                drop(file);
                forget(part);
                return Err(Attempt::Final(size_error(
                    remote,
                    total.unwrap_or(MAX_UNKNOWN),
                    at,
                )));
            }
            file.write_all(&buffer[..read]).map_err(io_error)?;
            self.options.report(&Progress {
                url: &remote.url,
                bytes: at,
                total,
            });
        }
        file.sync_all().map_err(io_error)?;
        if let Some(total) = total.filter(|t| *t != at) {
            return Err(Attempt::Broken(size_error(remote, total, at), at - offset));
        }
        finish(remote, part, offset)
    }
}

/// Checks what has come; `resumed` bytes of it came in an earlier attempt.
fn finish(remote: &Remote, part: &Path, resumed: u64) -> Result<(), Attempt> {
    let Some(expected) = &remote.sha256 else {
        return Ok(());
    };
    let (_, found) = verify::hash_file(part).map_err(|source| {
        Attempt::Final(FetchError::Io {
            path: part.to_path_buf(),
            source,
        })
    })?;
    if &found == expected {
        return Ok(());
    }
    forget(part);
    let error = FetchError::Hash {
        what: remote.url.clone(),
        expected: expected.clone(),
        found,
    };
    // Parts of two files, perhaps: the whole deserves one more try.
    Err(if resumed > 0 {
        Attempt::Broken(error, 0)
    } else {
        Attempt::Final(error)
    })
}

fn size_error(remote: &Remote, expected: u64, found: u64) -> FetchError {
    FetchError::Size {
        what: remote.url.clone(),
        expected,
        found,
    }
}

fn refuse_status(response: &Response<Body>, url: &str) -> Result<(), Attempt> {
    let status = response.status().as_u16();
    let url = url.to_owned();
    match status {
        200 | 206 => Ok(()),
        401 | 403 => Err(Attempt::Final(FetchError::Denied { url, status })),
        408 | 429 | 500 | 502 | 503 | 504 => {
            let wait = header(response, "retry-after").and_then(|v| v.trim().parse::<u64>().ok());
            let wait = wait.map(Duration::from_secs);
            Err(Attempt::Later(FetchError::Status { url, status }, wait))
        }
        _ => Err(Attempt::Final(FetchError::Status { url, status })),
    }
}

fn header(response: &Response<Body>, name: &str) -> Option<String> {
    response
        .headers()
        .get(name)?
        .to_str()
        .ok()
        .map(str::to_owned)
}

/// What `If-Range` may carry: a strong ETag, else a date.
fn validator(response: &Response<Body>) -> String {
    header(response, "etag")
        .filter(|tag| !tag.starts_with("W/"))
        .or_else(|| header(response, "last-modified"))
        .unwrap_or_default()
}

/// First byte and total of `bytes A-B/TOTAL`.
fn parse_range(text: &str) -> Option<(u64, Option<u64>)> {
    let (range, total) = text.strip_prefix("bytes ")?.split_once('/')?;
    let (first, _) = range.split_once('-')?;
    Some((first.trim().parse().ok()?, total.trim().parse().ok()))
}

/// Scheme, host and port are the same.
fn same_place(a: &Uri, b: &Uri) -> bool {
    a.scheme_str() == b.scheme_str() && a.host() == b.host() && a.port_u16() == b.port_u16()
}

fn resolve(base: &Uri, location: &str) -> Option<Uri> {
    let target = if location.contains("://") {
        location.to_owned()
    } else if let Some(rest) = location.strip_prefix("//") {
        format!("{}://{rest}", base.scheme_str()?)
    } else {
        let root = format!("{}://{}", base.scheme_str()?, base.authority()?);
        if location.starts_with('/') {
            root + location
        } else {
            let folder = base
                .path()
                .rsplit_once('/')
                .map_or("", |(folder, _)| folder);
            format!("{root}{folder}/{location}")
        }
    };
    let uri: Uri = target.parse().ok()?;
    (matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some()).then_some(uri)
}

fn note(part: &Path) -> PathBuf {
    let mut name = part.as_os_str().to_owned();
    name.push(".json");
    name.into()
}

fn read_note(part: &Path) -> Option<Resume> {
    serde_json::from_slice(&fs::read(note(part)).ok()?).ok()
}

fn write_note(part: &Path, resume: &Resume) -> io::Result<()> {
    super::store::replace(
        &note(part),
        &serde_json::to_vec(resume).map_err(io::Error::other)?,
    )
}

fn forget(part: &Path) {
    let _ = fs::remove_file(note(part));
    let _ = fs::remove_file(part);
}
