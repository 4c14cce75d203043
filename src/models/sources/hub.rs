//! Files of a Hugging Face repository, from the hub or from its client's own cache.
//!
//! The hub's part is a few lines (endpoint, repository, revision, file), so no client library is
//! needed for it: libraries that fetch do it without resuming, and cannot be wrapped into one that
//! does.

use std::fs;
use std::path::Path;

use serde::Deserialize;
use serde_json::Value;

use super::{join, json, records_error};
use crate::models::family::{self, Family};
use crate::models::fetch::{FetchError, FetchOptions};
use crate::models::http::{Client, Remote};
use crate::models::manifest::{self, HubRepo, ModelFile, Source};

/// Files of a hub repository that an engine reads, out of all its names.
fn select(hub: &HubRepo, family: Family, names: &[String]) -> Vec<String> {
    let is = |name: &str, end: &str| name.to_ascii_lowercase().ends_with(end);
    let chosen = |n: &&String| hub.weights.as_ref().is_none_or(|w| n.contains(w.as_str()));
    let top: Vec<&String> = names
        .iter()
        .filter(|n| !n.contains('/') && manifest::safe_relative(n).is_some())
        .collect();
    let pick = |start: &str, end: &str| -> Vec<String> {
        let right = |n: &&String| n.starts_with(start) && is(n, end);
        top.iter()
            .copied()
            .filter(right)
            .filter(chosen)
            .cloned()
            .collect()
    };
    let mut weights = match family {
        Family::Gguf => pick("", ".gguf"),
        Family::Hf => pick("", ".safetensors"),
        Family::Firefox | Family::Ctranslate2 => pick("model", ".bin"),
    };
    if weights.is_empty() && family == Family::Hf {
        weights = pick("pytorch_model", ".bin");
    }
    let small = [".json", ".spm", ".model", ".txt"];
    let rest = top
        .iter()
        .filter(|n| small.iter().any(|end| is(n, end)))
        .map(|n| (*n).clone());
    weights.extend(rest);
    weights.sort();
    weights
}

fn has_weights(files: &[String]) -> bool {
    files.iter().any(|f| {
        [".gguf", ".safetensors", ".bin"]
            .iter()
            .any(|end| f.ends_with(end))
    })
}

/// The files of a hub repository, at its pinned revision or the head of `main`.
pub(in crate::models) fn hub_files(
    hub: &HubRepo,
    family: Family,
    client: &Client<'_>,
    options: &FetchOptions,
) -> Result<(Vec<ModelFile>, String), FetchError> {
    #[derive(Deserialize)]
    struct Lfs {
        sha256: Option<String>,
    }
    #[derive(Deserialize)]
    struct Sibling {
        rfilename: String,
        size: Option<u64>,
        lfs: Option<Lfs>,
    }
    #[derive(Deserialize)]
    struct Info {
        sha: String,
        siblings: Vec<Sibling>,
    }
    let revision = hub.revision.as_deref().unwrap_or("main");
    let path = format!("api/models/{}/revision/{revision}?blobs=true", hub.repo);
    let url = join(&options.hub_endpoint, &path);
    let text = client.text(&Remote::at(&url), None)?;
    let info: Info = json(&url, &text)?;
    if !manifest::is_plain_name(&info.sha) {
        return Err(records_error(&url, format!("odd revision `{}`", info.sha)));
    }
    let names: Vec<String> = info.siblings.iter().map(|s| s.rfilename.clone()).collect();
    let selected = select(hub, family, &names);
    if !has_weights(&selected) {
        return Err(records_error(&url, "no weights that tarjama reads"));
    }
    let files = info
        .siblings
        .into_iter()
        .filter(|s| selected.contains(&s.rfilename))
        .map(|s| {
            let path = format!("{}/resolve/{}/{}", hub.repo, info.sha, s.rfilename);
            let sha256 = s
                .lfs
                .and_then(|l| l.sha256)
                .filter(|h| manifest::is_sha256(h));
            let url = join(&options.hub_endpoint, &path);
            let source = Source::Url {
                url,
                compression: manifest::Compression::None,
                size: None,
                sha256: None,
            };
            ModelFile {
                path: s.rfilename,
                size: s.size,
                sha256,
                source: vec![source],
            }
        });
    Ok((files.collect(), info.sha))
}

/// The files of a repository that the hub's own cache has whole.
pub(in crate::models) fn hub_cached(
    hub: &HubRepo,
    family: Family,
    options: &FetchOptions,
) -> Option<(Vec<ModelFile>, String)> {
    let folder = format!("models--{}", hub.repo.replace('/', "--"));
    let cache = options.hub_home.as_ref()?.join("hub");
    // Other programs name the folder as their user wrote the repository.
    let mut folders = fs::read_dir(&cache).ok()?.flatten().map(|e| e.file_name());
    let same = |name: &std::ffi::OsString| name.eq_ignore_ascii_case(&folder);
    let home = cache.join(folders.find(same)?);
    let revision = match &hub.revision {
        Some(revision) => revision.clone(),
        None => fs::read_to_string(home.join("refs/main"))
            .ok()?
            .trim()
            .to_owned(),
    };
    if !manifest::is_plain_name(&revision) {
        return None;
    }
    let snapshot = home.join("snapshots").join(&revision);
    let entries = fs::read_dir(&snapshot).ok()?.flatten();
    let names: Vec<String> = entries
        .filter_map(|e| e.file_name().into_string().ok())
        .collect();
    let selected = select(hub, family, &names);
    if family::detect(&snapshot).ok()? != family || !shards_present(&snapshot, &selected) {
        return None;
    }
    let file = |path: String| {
        let source = vec![Source::Local {
            path: snapshot.join(&path),
        }];
        ModelFile {
            path,
            size: None,
            sha256: None,
            source,
        }
    };
    Some((selected.into_iter().map(file).collect(), revision))
}

/// Every shard that an index of weights names is there.
fn shards_present(dir: &Path, names: &[String]) -> bool {
    names
        .iter()
        .filter(|n| n.ends_with(".index.json"))
        .all(|index| {
            let Ok(text) = fs::read_to_string(dir.join(index)) else {
                return false;
            };
            let Ok(value) = serde_json::from_str::<Value>(&text) else {
                return false;
            };
            // An index of weights in a form that is not used names shards of that form only.
            let form = if index.contains("safetensors") {
                ".safetensors"
            } else {
                ".bin"
            };
            !names.iter().any(|n| n.ends_with(form))
                || value["weight_map"].as_object().is_some_and(|map| {
                    map.values().all(|shard| {
                        shard
                            .as_str()
                            .is_some_and(|s| names.iter().any(|name| name == s))
                    })
                })
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn selects_what_an_engine_reads_and_no_other_toolkits_weights() {
        let hub = HubRepo {
            repo: "a/b".to_owned(),
            revision: None,
            weights: None,
        };
        let names: Vec<String> = [
            "config.json",
            "model.safetensors",
            "pytorch_model.bin",
            "tf_model.h5",
            "source.spm",
            "onnx/model.onnx",
            "../x.json",
            "README.md",
        ]
        .map(str::to_owned)
        .to_vec();
        let selected = select(&hub, Family::Hf, &names);
        assert_eq!(selected, ["config.json", "model.safetensors", "source.spm"]);
    }
}
