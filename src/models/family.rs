//! What a directory holds, by its files alone.

use std::path::{Path, PathBuf};

use crate::text::{Direction, Lang};

use serde::{Deserialize, Serialize};

/// Layout of a model's directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Family {
    /// Firefox translations: `model*.bin`, `vocab*.spm`, perhaps `lex*.bin`.
    Firefox,
    /// Hugging Face: `config.json` with safetensors or `pytorch_model.bin`.
    Hf,
    /// CTranslate2: `model.bin` with `config.json` or vocabularies beside it.
    Ctranslate2,
    /// One GGUF file (or its numbered parts).
    Gguf,
}

impl std::fmt::Display for Family {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Firefox => "firefox",
            Self::Hf => "hf",
            Self::Ctranslate2 => "ctranslate2",
            Self::Gguf => "gguf",
        })
    }
}

/// The files that an engine opens, in a Firefox directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FirefoxFiles {
    /// Weights.
    pub model: PathBuf,
    /// Vocabulary of the source.
    pub source_vocab: PathBuf,
    /// Vocabulary of the target; the same file where one serves both.
    pub target_vocab: PathBuf,
    /// Lexical shortlist.
    pub shortlist: Option<PathBuf>,
}

impl FirefoxFiles {
    /// The direction that the weights' file name tells (`model.enpt.intgemm.alphas.bin`).
    #[must_use]
    pub fn direction(&self) -> Option<Direction> {
        let name = self.model.file_name()?.to_str()?;
        let pair = name.split('.').find(|part| part.len() == 4)?;
        let (from, to) = (pair.get(..2)?, pair.get(2..)?);
        Some(Direction {
            from: Lang::parse(from)?,
            to: Lang::parse(to)?,
        })
    }
}

/// Why a directory is no model.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FamilyError {
    /// Not readable.
    #[error("cannot read {path}", path = path.display())]
    Read {
        /// Directory.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// No layout fits.
    #[error(
        "{path} is in no known layout: a *.gguf file, Firefox (model*.bin with vocab*.spm), \
         Hugging Face (config.json with *.safetensors or pytorch_model.bin) or CTranslate2 \
         (model.bin with config.json) is expected",
        path = path.display()
    )]
    Unknown {
        /// Directory.
        path: PathBuf,
    },
    /// A layout's file is missing.
    #[error("{path} lacks {what}", path = path.display())]
    Missing {
        /// Directory.
        path: PathBuf,
        /// The file.
        what: &'static str,
    },
}

fn names(dir: &Path) -> Result<Vec<String>, FamilyError> {
    let fail = |source| FamilyError::Read {
        path: dir.to_path_buf(),
        source,
    };
    let mut names = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(fail)? {
        let entry = entry.map_err(fail)?;
        if entry.path().is_file() {
            names.extend(entry.file_name().into_string());
        }
    }
    names.sort();
    Ok(names)
}

/// The family of a directory (or of one `.gguf` file), by its files.
///
/// # Errors
/// When it cannot be read or fits no layout.
pub fn detect(path: &Path) -> Result<Family, FamilyError> {
    let gguf = |name: &str| name.to_ascii_lowercase().ends_with(".gguf");
    if path.is_file() && path.file_name().is_some_and(|n| gguf(&n.to_string_lossy())) {
        return Ok(Family::Gguf);
    }
    let names = names(path)?;
    let has = |name: &str| names.iter().any(|n| n == name);
    let any = |start: &str, end: &str| {
        names
            .iter()
            .any(|n| n.starts_with(start) && n.ends_with(end))
    };
    // CTranslate2 first: its `model.bin` and SentencePiece files would pass for Firefox's.
    let ct2_vocabulary = any("shared_vocabulary", "") || any("source_vocabulary", "");
    if has("model.bin") && (has("config.json") || ct2_vocabulary) {
        return Ok(Family::Ctranslate2);
    }
    let weights = any("", ".safetensors") || any("pytorch_model", ".bin");
    if has("config.json") && weights {
        return Ok(Family::Hf);
    }
    let vocabulary = any("vocab", ".spm") || any("srcvocab", ".spm");
    if any("model", ".bin") && vocabulary {
        return Ok(Family::Firefox);
    }
    if names.iter().any(|n| gguf(n)) {
        return Ok(Family::Gguf);
    }
    Err(FamilyError::Unknown {
        path: path.to_path_buf(),
    })
}

/// Finds the files of a Firefox directory.
///
/// # Errors
/// When weights or vocabulary are missing.
pub fn firefox_files(dir: &Path) -> Result<FirefoxFiles, FamilyError> {
    let names = names(dir)?;
    let pick = |start: &str, end: &str| {
        names
            .iter()
            .find(|n| n.starts_with(start) && n.ends_with(end))
            .map(|n| dir.join(n))
    };
    let missing = |what| FamilyError::Missing {
        path: dir.to_path_buf(),
        what,
    };
    let model = pick("model", ".bin").ok_or_else(|| missing("weights (model*.bin)"))?;
    let shared = pick("vocab", ".spm");
    let vocabulary = |start| {
        pick(start, ".spm")
            .or_else(|| shared.clone())
            .ok_or_else(|| missing("a vocabulary (vocab*.spm, or srcvocab*.spm and trgvocab*.spm)"))
    };
    Ok(FirefoxFiles {
        model,
        source_vocab: vocabulary("srcvocab")?,
        target_vocab: vocabulary("trgvocab")?,
        shortlist: pick("lex.50.50", ".bin").or_else(|| pick("lex", ".bin")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dir(names: &[&str]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for name in names {
            std::fs::File::create(dir.path().join(name)).unwrap();
        }
        dir
    }

    #[test]
    fn finds_the_family_of_what_people_have_on_disk() {
        for (names, family) in [
            (
                &["model.enar.intgemm.alphas.bin", "vocab.enar.spm"][..],
                Family::Firefox,
            ),
            (
                &["model.x.bin", "srcvocab.x.spm", "trgvocab.x.spm"],
                Family::Firefox,
            ),
            (
                &["config.json", "model.safetensors", "tokenizer.json"],
                Family::Hf,
            ),
            (
                &["config.json", "pytorch_model.bin", "source.spm"],
                Family::Hf,
            ),
            (
                &[
                    "config.json",
                    "model.bin",
                    "shared_vocabulary.json",
                    "vocab.spm",
                ],
                Family::Ctranslate2,
            ),
            (&["a.Q4_K_M.GGUF"], Family::Gguf),
        ] {
            assert_eq!(detect(dir(names).path()).unwrap(), family, "{names:?}");
        }
    }

    #[test]
    fn says_what_it_expected_when_nothing_fits() {
        let dir = dir(&["readme.txt"]);
        assert!(
            detect(dir.path())
                .unwrap_err()
                .to_string()
                .contains("is expected")
        );
        assert!(detect(&dir.path().join("none")).is_err());
    }

    #[test]
    fn separate_vocabularies_are_not_mixed_up() {
        let two = dir(&[
            "model.x.bin",
            "srcvocab.x.spm",
            "trgvocab.x.spm",
            "lex.50.50.x.s2t.bin",
        ]);
        let files = firefox_files(two.path()).unwrap();
        assert!(files.source_vocab.ends_with("srcvocab.x.spm"));
        assert!(files.target_vocab.ends_with("trgvocab.x.spm"));
        assert!(files.shortlist.is_some());
        let one = dir(&["model.x.bin", "vocab.x.spm"]);
        let files = firefox_files(one.path()).unwrap();
        assert_eq!(files.source_vocab, files.target_vocab);
        assert!(firefox_files(dir(&["model.x.bin"]).path()).is_err());
    }
}
