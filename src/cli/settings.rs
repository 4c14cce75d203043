//! Settings: flag > environment > `tarjama.toml` > default.
//!
//! clap reads flags and `TARJAMA_*`; this module reads the file and fills what they left open.
//! This is the only place, with `args`, where the environment is read.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde::Deserialize;

use super::args::GlobalArgs;
use super::exit::Failure;
use crate::models::fetch::FetchOptions;
use crate::models::store::Store;
use crate::run::Shard;
use crate::text::Lang;

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
    #[serde(default, deserialize_with = "lang_code")]
    pub to: Option<Lang>,
    /// Default of `--kernels`.
    pub kernels: Option<String>,
}

fn lang_code<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<Lang>, D::Error> {
    let code = String::deserialize(from)?;
    Lang::parse(&code)
        .map(Some)
        .ok_or_else(|| serde::de::Error::custom(format!("'{code}' is no language code")))
}

/// Hugging Face's own variables, which mean what they mean elsewhere.
#[derive(Clone, Default)]
pub struct HubSettings {
    /// `HF_HOME`, or the default of the hub's clients.
    pub home: Option<PathBuf>,
    /// `HF_TOKEN`, or the token that a login left in `HF_HOME`.
    pub token: Option<String>,
    /// `HF_ENDPOINT`.
    pub endpoint: Option<String>,
    /// `HF_HUB_OFFLINE`.
    pub offline: bool,
}

impl std::fmt::Debug for HubSettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The token stays out of logs.
        f.debug_struct("HubSettings")
            .field("home", &self.home)
            .field("endpoint", &self.endpoint)
            .field("offline", &self.offline)
            .finish_non_exhaustive()
    }
}

impl HubSettings {
    fn from_env() -> Self {
        let home = env_path("HF_HOME").or_else(|| Some(user_cache()?.join("huggingface")));
        let token = env_text("HF_TOKEN").or_else(|| {
            let text = std::fs::read_to_string(home.as_ref()?.join("token")).ok()?;
            Some(text.trim().to_owned()).filter(|t| !t.is_empty())
        });
        let yes = |v: String| matches!(v.to_uppercase().as_str(), "1" | "ON" | "YES" | "TRUE");
        Self {
            home,
            token,
            endpoint: env_text("HF_ENDPOINT"),
            offline: env_text("HF_HUB_OFFLINE").is_some_and(yes),
        }
    }
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
    /// What Hugging Face's variables say.
    pub hub: HubSettings,
    /// Folder of the user's own manifests.
    pub manifests: Option<PathBuf>,
    /// Folder of what tarjama remembers.
    pub state: Option<PathBuf>,
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
            hub: HubSettings::from_env(),
            manifests: config_dir().map(|dir| dir.join("models")),
            state: state_dir(),
            file,
        })
    }

    /// The store of fetched models.
    ///
    /// # Errors
    /// When there is no cache folder.
    pub fn store(&self) -> anyhow::Result<Store> {
        let cache = self.cache.clone().ok_or_else(|| {
            Failure::usage("no home folder is known to keep models in", "--cache DIR")
        })?;
        Ok(Store::new(cache).with_manifests(self.manifests.clone()))
    }

    /// How to fetch, without progress.
    #[must_use]
    pub fn fetch_options(&self) -> FetchOptions {
        let default = FetchOptions::default();
        FetchOptions {
            offline: self.hub.offline,
            hub_endpoint: self.hub.endpoint.clone().unwrap_or(default.hub_endpoint),
            hub_token: self.hub.token.clone(),
            hub_home: self.hub.home.clone(),
            ..FetchOptions::default()
        }
    }
}

fn env_text(name: &str) -> Option<String> {
    env_path(name)?.into_os_string().into_string().ok()
}

fn config_dir() -> Option<PathBuf> {
    env_path("XDG_CONFIG_HOME")
        .or_else(|| Some(env_path("HOME")?.join(".config")))
        .map(|dir| dir.join("tarjama"))
}

fn state_dir() -> Option<PathBuf> {
    env_path("XDG_STATE_HOME")
        .or_else(|| Some(env_path("HOME")?.join(".local/state")))
        .map(|dir| dir.join("tarjama"))
}

fn user_cache() -> Option<PathBuf> {
    env_path("XDG_CACHE_HOME").or_else(|| Some(env_path("HOME")?.join(".cache")))
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

/// This process's place in a job array, as Slurm and Kubernetes tell it.
///
/// Kubernetes tells the index alone; the job's own manifest can give `JOB_COMPLETIONS`.
#[must_use]
pub fn job_array() -> Option<Shard> {
    let number = |name: &str| std::env::var_os(name)?.to_str()?.parse::<u64>().ok();
    let slurm = || {
        // Arrays may begin at any number (`--array=1-8`).
        let first = number("SLURM_ARRAY_TASK_MIN").unwrap_or(0);
        let step = number("SLURM_ARRAY_TASK_STEP").unwrap_or(1).max(1);
        let index = number("SLURM_ARRAY_TASK_ID")?.checked_sub(first)? / step;
        Some(Shard {
            index,
            count: number("SLURM_ARRAY_TASK_COUNT")?,
        })
    };
    let kubernetes = || {
        let (index, count) = (number("JOB_COMPLETION_INDEX")?, number("JOB_COMPLETIONS")?);
        Some(Shard { index, count })
    };
    slurm()
        .or_else(kubernetes)
        .filter(|shard| shard.index < shard.count)
}

fn default_paths() -> Vec<PathBuf> {
    let mut paths = vec![PathBuf::from("tarjama.toml")];
    paths.extend(config_dir().map(|dir| dir.join("tarjama.toml")));
    paths
}

fn default_cache() -> Option<PathBuf> {
    user_cache().map(|dir| dir.join("tarjama"))
}
