//! Finds the address of a file where its source is a list of records rather than a URL.

mod firefox;
mod hub;

#[cfg(fuzzing)]
pub(super) use firefox::chosen;

use serde_json::Value;

use super::fetch::FetchError;
use super::http::{Client, Remote};
use super::manifest::{Compression, Manifest, ModelFile, Source};
use firefox::Wanted;
pub(super) use hub::{hub_cached, hub_files};

/// Where a file is, and what is known of it.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) remote: Remote,
    /// `None`: its first bytes tell.
    pub(super) packing: Option<Compression>,
    pub(super) unpacked_sha256: Option<String>,
    pub(super) unpacked_size: Option<u64>,
}

impl Found {
    fn new(remote: Remote, packing: Option<Compression>) -> Self {
        Self {
            remote,
            packing,
            unpacked_sha256: None,
            unpacked_size: None,
        }
    }
}

/// The address of `file` at a source of the network.
pub(super) fn locate(
    source: &Source,
    manifest: &Manifest,
    file: &ModelFile,
    client: &Client<'_>,
) -> Result<Found, FetchError> {
    let wanted = |file_type, architecture| Wanted {
        manifest,
        file,
        file_type,
        architecture,
    };
    match source {
        Source::Url {
            url,
            compression,
            size,
            sha256,
        } => {
            let plain = *compression == Compression::None;
            let remote = Remote {
                url: url.clone(),
                size: size.or(file.size.filter(|_| plain)),
                sha256: sha256
                    .clone()
                    .or_else(|| file.sha256.clone().filter(|_| plain)),
                ..Remote::default()
            };
            Ok(Found::new(remote, Some(*compression)))
        }
        Source::GitLfs {
            remote,
            oid,
            size,
            compression,
        } => Ok(Found::new(
            git_lfs(remote, oid, *size, client)?,
            Some(*compression),
        )),
        Source::RemoteSettings {
            records,
            attachments,
            file_type,
            architecture,
        } => {
            let wanted = wanted(file_type, architecture);
            firefox::remote_settings(records, attachments, &wanted, client)
        }
        Source::FirefoxRegistry {
            registry,
            file_type,
            architecture,
        } => {
            let wanted = wanted(file_type, architecture);
            let remote = firefox::registry(registry, &wanted, client)?;
            Ok(Found::new(remote, None))
        }
        Source::Wheel { .. } | Source::Local { .. } => {
            Err(records_error(&file.path, "its source has no address"))
        }
    }
}

fn records_error(url: &str, message: impl Into<String>) -> FetchError {
    FetchError::Records {
        url: url.to_owned(),
        message: message.into(),
    }
}

fn json<T: serde::de::DeserializeOwned>(url: &str, text: &str) -> Result<T, FetchError> {
    serde_json::from_str(text)
        .map_err(|e| records_error(url, format!("not the expected JSON: {e}")))
}

fn join(base: &str, path: &str) -> String {
    format!(
        "{}/{}",
        base.trim_end_matches('/'),
        path.trim_start_matches('/')
    )
}

/// The address of an object of a Git LFS remote, by the batch interface that the protocol defines.
pub(super) fn git_lfs(
    remote: &str,
    oid: &str,
    size: u64,
    client: &Client<'_>,
) -> Result<Remote, FetchError> {
    let bare = remote.trim_end_matches('/').trim_end_matches(".git");
    let url = format!("{bare}.git/info/lfs/objects/batch");
    let media = "application/vnd.git-lfs+json".to_owned();
    let request = Remote {
        url: url.clone(),
        headers: vec![
            ("Accept".to_owned(), media.clone()),
            ("Content-Type".to_owned(), media),
        ],
        ..Remote::default()
    };
    let body = serde_json::json!({
        "operation": "download",
        "transfers": ["basic"],
        "objects": [{"oid": oid, "size": size}],
    });
    let answer: Value = json(&url, &client.text(&request, Some(&body.to_string()))?)?;
    let download = &answer["objects"][0]["actions"]["download"];
    let href = download["href"].as_str().ok_or_else(|| {
        let why = answer["objects"][0]["error"]["message"]
            .as_str()
            .unwrap_or("no download");
        records_error(&url, why)
    })?;
    let headers = download["header"].as_object().map(|map| {
        map.iter()
            .filter_map(|(k, v)| Some((k.clone(), v.as_str()?.to_owned())))
            .collect()
    });
    Ok(Remote {
        url: href.to_owned(),
        headers: headers.unwrap_or_default(),
        size: Some(size),
        sha256: Some(oid.to_owned()),
    })
}
