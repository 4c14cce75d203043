//! Settings: flag > environment > `tarjama.toml` > default.
//!
//! clap reads flags and `TARJAMA_*`; this module reads the file and fills what they left open.
//! This is the only place, with `args`, where the environment is read.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde::Deserialize;

use super::args::GlobalArgs;
use super::exit::Failure;

/// `tarjama.toml`.
#[derive(Debug, Default, Deserialize, Clone)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct SettingsFile {
    /// Default of `--threads`.
    pub threads: Option<usize>,
    /// Default of `--cache`.
    pub cache: Option<PathBuf>,
    /// Default of `--model`.
    pub model: Option<String>,
    /// Default of `--summary-model`.
    pub summary_model: Option<String>,
    /// Default of `--to`.
    pub to: Option<String>,
    /// Default of `--kernels`.
    pub kernels: Option<String>,
}

/// Resolved settings that commands share.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Worker threads, at least 1; `None` when nothing asked for a number.
    pub threads: Option<usize>,
    /// Folder of fetched models; `None` when neither a setting nor a home folder gives one.
    pub cache: Option<PathBuf>,
    /// Forced kernels.
    pub kernels: Option<String>,
    /// What the settings file says, for defaults of single commands.
    pub file: SettingsFile,
}

impl Settings {
    /// Reads the settings file and merges it below the flags.
    ///
    /// # Errors
    /// When a named file is missing or any settings file is not valid.
    pub fn load(global: &GlobalArgs) -> anyhow::Result<Self> {
        let file = match &global.config {
            Some(path) => read(path)?,
            None => match default_paths().into_iter().find(|path| path.is_file()) {
                Some(path) => read(&path)?,
                None => SettingsFile::default(),
            },
        };
        let threads = global.threads.or(file.threads);
        if threads == Some(0) {
            return Err(Failure::usage(
                "--threads 0 leaves nobody to work",
                "--threads 1 or more",
            ));
        }
        Ok(Self {
            threads,
            cache: global
                .cache
                .clone()
                .or_else(|| file.cache.clone())
                .or_else(default_cache),
            kernels: global.kernels.clone().or_else(|| file.kernels.clone()),
            file,
        })
    }
}

fn read(path: &Path) -> anyhow::Result<SettingsFile> {
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("cannot read the settings file {}", path.display()))?;
    toml::from_str(&text).map_err(|e| {
        Failure::usage(
            format!("{}: {e}", path.display()),
            "mend or remove the file",
        )
    })
}

fn env_path(name: &str) -> Option<PathBuf> {
    std::env::var_os(name)
        .filter(|v| !v.is_empty())
        .map(PathBuf::from)
}

fn default_paths() -> Vec<PathBuf> {
    let mut paths = vec![PathBuf::from("tarjama.toml")];
    let config = env_path("XDG_CONFIG_HOME").or_else(|| Some(env_path("HOME")?.join(".config")));
    paths.extend(config.map(|dir| dir.join("tarjama/tarjama.toml")));
    paths
}

fn default_cache() -> Option<PathBuf> {
    env_path("XDG_CACHE_HOME")
        .or_else(|| Some(env_path("HOME")?.join(".cache")))
        .map(|dir| dir.join("tarjama"))
}
