//! One address to one file, resumed where an earlier attempt broke off.
//!
//! A transfer goes to `NAME.part`, with the server's validator (a strong ETag, else Last-Modified)
//! in `NAME.part.json`. A later attempt, of this process or another, asks for the rest with `Range`
//! and `If-Range`; a server whose file has changed, or that knows no ranges, sends the whole and
//! the transfer starts over.

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use ureq::Body;
use ureq::http::Response;

use super::fetch::{FetchError, Progress};
use super::http::{Attempt, Client, Remote, header, refuse_status};
use super::verify;

/// Longest transfer of unknown size.
const MAX_UNKNOWN: u64 = 256 << 30;

#[derive(Serialize, Deserialize, Default)]
struct Resume {
    url: String,
    validator: String,
}

impl Client<'_> {
    /// Brings `remote` to `part` whole; resumes what an earlier attempt left there.
    pub(super) fn download(&self, remote: &Remote, part: &Path) -> Result<(), FetchError> {
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
        let resume = read_note(part)
            .filter(|r| r.url == remote.url)
            .unwrap_or_default();
        let offset = match fs::metadata(part) {
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
            return whole_already(remote, part, offset, &response);
        }
        refuse_status(&response, &remote.url)?;
        let (offset, resume) = if status == 206 {
            check_rest(remote, part, offset, &resume, &response)?;
            (offset, resume)
        } else {
            let validator = validator(&response);
            let url = remote.url.clone();
            (0, Resume { url, validator })
        };
        let length = header(&response, "content-length").and_then(|l| l.parse::<u64>().ok());
        let stated = length.map(|l| l.saturating_add(offset));
        if let (Some(expected), Some(found)) = (remote.size, stated)
            && expected != found
        {
            forget(part);
            return Err(Attempt::Final(size_error(remote, expected, found)));
        }
        let file = open_part(part, offset, &resume).map_err(|e| io_error(part, e))?;
        self.receive(remote, part, file, response, offset, remote.size.or(stated))?;
        finish(remote, part, offset)
    }

    /// Writes the body of `response` to the end of `file`, which has `offset` bytes of `total`.
    fn receive(
        &self,
        remote: &Remote,
        part: &Path,
        mut file: File,
        response: Response<Body>,
        offset: u64,
        total: Option<u64>,
    ) -> Result<(), Attempt> {
        let limit = total.unwrap_or(MAX_UNKNOWN);
        let mut reader = response.into_body().into_reader();
        let mut buffer = vec![0; 1 << 17];
        let mut at = offset;
        loop {
            let read = match reader.read(&mut buffer) {
                Ok(0) => break,
                Ok(read) => read,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                Err(e) => {
                    let _ = file.sync_data();
                    let error = FetchError::Network {
                        url: remote.url.clone(),
                        message: format!("the transfer broke off after {at} bytes: {e}"),
                    };
                    return Err(Attempt::Broken(error, at - offset));
                }
            };
            at += read as u64;
            if at > limit {
                drop(file);
                forget(part);
                return Err(Attempt::Final(size_error(remote, limit, at)));
            }
            file.write_all(&buffer[..read])
                .map_err(|e| io_error(part, e))?;
            self.options.report(&Progress {
                url: &remote.url,
                bytes: at,
                total,
            });
        }
        file.sync_all().map_err(|e| io_error(part, e))?;
        match total.filter(|t| *t != at) {
            Some(total) => Err(Attempt::Broken(size_error(remote, total, at), at - offset)),
            None => Ok(()),
        }
    }
}

/// The server has nothing behind what is here: all was here already, unless it is not what was
/// asked for.
fn whole_already(
    remote: &Remote,
    part: &Path,
    offset: u64,
    response: &Response<Body>,
) -> Result<(), Attempt> {
    let total =
        header(response, "content-range").and_then(|r| r.rsplit_once('/')?.1.parse::<u64>().ok());
    let stated = remote.size.or(total);
    if stated == Some(offset) {
        return finish(remote, part, offset);
    }
    forget(part);
    let error = size_error(remote, stated.unwrap_or(0), offset);
    Err(Attempt::Broken(error, 0))
}

/// Whether a partial answer is the rest of what is here.
fn check_rest(
    remote: &Remote,
    part: &Path,
    offset: u64,
    resume: &Resume,
    response: &Response<Body>,
) -> Result<(), Attempt> {
    let range = header(response, "content-range").and_then(|r| parse_range(&r));
    let validator = validator(response);
    let same = validator.is_empty() || validator == resume.validator;
    if range.map(|r| r.0) != Some(offset) || !same {
        // The next attempt asks for the whole.
        forget(part);
        let error = FetchError::Network {
            url: remote.url.clone(),
            message: "the file changed between two parts".to_owned(),
        };
        return Err(Attempt::Broken(error, 0));
    }
    if let (Some(expected), Some(found)) = (remote.size, range.and_then(|r| r.1))
        && expected != found
    {
        forget(part);
        return Err(Attempt::Final(size_error(remote, expected, found)));
    }
    Ok(())
}

/// The file to write to: a new one with its note, or what is here, at its end.
fn open_part(part: &Path, offset: u64, resume: &Resume) -> io::Result<File> {
    if offset > 0 {
        return File::options().append(true).open(part);
    }
    forget(part);
    if !resume.validator.is_empty() {
        write_note(part, resume)?;
    }
    File::create(part)
}

fn io_error(part: &Path, source: io::Error) -> Attempt {
    Attempt::Final(FetchError::Io {
        path: part.to_path_buf(),
        source,
    })
}

/// Checks what has come; `resumed` bytes of it came in an earlier attempt.
fn finish(remote: &Remote, part: &Path, resumed: u64) -> Result<(), Attempt> {
    let Some(expected) = &remote.sha256 else {
        return Ok(());
    };
    let (_, found) = verify::hash_file(part).map_err(|e| io_error(part, e))?;
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
