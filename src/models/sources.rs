//! Finds the address of a file where its source is a list of records rather than a URL.
//!
//! The hub's part is these few lines (endpoint, repository, revision, file), so no client library
//! is needed for it: libraries that fetch do it without resuming, and cannot be wrapped into one
//! that does.

use std::fs;
use std::path::Path;

use serde::Deserialize;
use serde_json::Value;

use super::family::{self, Family};
use super::fetch::{FetchError, FetchOptions};
use super::http::{Client, Remote};
use super::manifest::{self, HubRepo, Manifest, ModelFile, Source};

/// The file that a list of records is searched for.
pub(crate) struct Wanted<'a> {
    pub(crate) manifest: &'a Manifest,
    pub(crate) file: &'a ModelFile,
    pub(crate) file_type: &'a str,
    pub(crate) architecture: &'a str,
}

impl Wanted<'_> {
    fn languages(&self) -> (&str, &str) {
        self.manifest
            .directions
            .first()
            .and_then(|d| d.split_once('-'))
            .unwrap_or(("", ""))
    }
}

/// An attachment and what its record says it unpacks to.
#[derive(Debug)]
pub(crate) struct Attachment {
    pub(crate) remote: Remote,
    pub(crate) unpacked_sha256: Option<String>,
    pub(crate) unpacked_size: Option<u64>,
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

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SettingsRecord {
    #[serde(default)]
    name: String,
    #[serde(default)]
    file_type: String,
    #[serde(default)]
    source_language: String,
    #[serde(default)]
    target_language: String,
    #[serde(default)]
    architecture: String,
    #[serde(default)]
    version: String,
    #[serde(default)]
    decompressed_hash: Option<String>,
    #[serde(default, deserialize_with = "number")]
    decompressed_size: Option<u64>,
    attachment: Option<SettingsAttachment>,
}

#[derive(Deserialize)]
struct SettingsAttachment {
    location: String,
    #[serde(default)]
    hash: Option<String>,
    #[serde(default, deserialize_with = "number")]
    size: Option<u64>,
}

/// Sizes stand as numbers in some records and as text in others.
fn number<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    Ok(match Value::deserialize(deserializer)? {
        Value::Number(number) => number.as_u64(),
        Value::String(text) => text.parse().ok(),
        _ => None,
    })
}

/// Order of versions such as `1.0`, `1.0a1`, `2.1`; a pre-release stands below its release.
fn version_key(version: &str) -> (Vec<u64>, bool) {
    let numeric = |part: &str| {
        part.chars()
            .take_while(char::is_ascii_digit)
            .collect::<String>()
    };
    let numbers = version
        .split('.')
        .map(|p| numeric(p).parse().unwrap_or(0))
        .collect();
    (
        numbers,
        version.chars().all(|c| c.is_ascii_digit() || c == '.'),
    )
}

/// The attachment of a Remote Settings collection that unpacks to the wanted file.
pub(crate) fn remote_settings(
    records: &str,
    attachments: &str,
    wanted: &Wanted<'_>,
    client: &Client<'_>,
) -> Result<Attachment, FetchError> {
    let text = client.text(
        &Remote {
            url: records.to_owned(),
            ..Remote::default()
        },
        None,
    )?;
    choose_record(records, attachments, wanted, &text)
}

fn choose_record(
    records: &str,
    attachments: &str,
    wanted: &Wanted<'_>,
    text: &str,
) -> Result<Attachment, FetchError> {
    #[derive(Deserialize)]
    struct List {
        data: Vec<Value>,
    }
    let list: List = json(records, text)?;
    let (from, to) = wanted.languages();
    let same_pair = |r: &SettingsRecord| {
        r.source_language == from
            && r.target_language == to
            && r.architecture == wanted.architecture
            && r.attachment.is_some()
    };
    // A record of another kind in the same collection must not hide the right one.
    let pair: Vec<SettingsRecord> = list
        .data
        .into_iter()
        .filter_map(|value| serde_json::from_value(value).ok())
        .filter(same_pair)
        .collect();
    let mut found: Vec<&SettingsRecord> = pair
        .iter()
        .filter(|r| r.file_type == wanted.file_type)
        .collect();
    let pinned = |r: &SettingsRecord| {
        let hash = r.decompressed_hash.as_ref();
        hash.is_some()
            && wanted
                .manifest
                .file
                .iter()
                .any(|f| f.sha256.as_ref() == hash)
    };
    if let Some(hash) = &wanted.file.sha256 {
        found.retain(|r| r.decompressed_hash.as_ref().is_none_or(|h| h == hash));
    } else if wanted.manifest.file.iter().any(|f| f.sha256.is_some()) {
        // A vocabulary of one version with the weights of another would translate to nonsense.
        let version = pair.iter().find(|r| pinned(r)).map(|r| r.version.clone());
        found.retain(|r| Some(&r.version) == version.as_ref());
    }
    // Beside `lex.50.50` other shortlists may stand under the same type: the name decides.
    if found.iter().any(|r| r.name == wanted.file.path) {
        found.retain(|r| r.name == wanted.file.path);
    }
    let best = found.into_iter().max_by_key(|r| version_key(&r.version));
    let none = || {
        let what = format!("{} {from}-{to} {}", wanted.file_type, wanted.architecture);
        records_error(
            records,
            format!("no record for {what} with the pinned hash"),
        )
    };
    let best = best.ok_or_else(none)?;
    let attachment = best.attachment.as_ref().ok_or_else(none)?;
    if attachment.location.contains("..") || attachment.location.contains("://") {
        return Err(records_error(
            records,
            format!("odd location `{}`", attachment.location),
        ));
    }
    Ok(Attachment {
        remote: Remote {
            url: join(attachments, &attachment.location),
            size: attachment.size,
            sha256: attachment.hash.clone().filter(|h| manifest::is_sha256(h)),
            ..Remote::default()
        },
        unpacked_sha256: best
            .decompressed_hash
            .clone()
            .filter(|h| manifest::is_sha256(h)),
        unpacked_size: best.decompressed_size,
    })
}

/// The address of a file in the Firefox translations registry.
pub(crate) fn firefox_registry(
    registry: &str,
    wanted: &Wanted<'_>,
    client: &Client<'_>,
) -> Result<Remote, FetchError> {
    let text = client.text(
        &Remote {
            url: registry.to_owned(),
            ..Remote::default()
        },
        None,
    )?;
    choose_entry(registry, wanted, &text)
}

fn choose_entry(registry: &str, wanted: &Wanted<'_>, text: &str) -> Result<Remote, FetchError> {
    if wanted.file.sha256.is_none() && wanted.manifest.file.iter().any(|f| f.sha256.is_some()) {
        // Its release may be of another version than the pinned weights.
        let message = "does not say which version its files are, and no hash of this one is known";
        return Err(records_error(registry, message));
    }
    let root: Value = json(registry, text)?;
    let (from, to) = wanted.languages();
    let empty = Vec::new();
    let entries = root["models"][format!("{from}-{to}")]
        .as_array()
        .unwrap_or(&empty);
    let right = |e: &&Value| e["architecture"].as_str() == Some(wanted.architecture);
    let entry = entries
        .iter()
        .filter(right)
        .find(|e| e["releaseStatus"].as_str() == Some("Release"))
        .or_else(|| entries.iter().find(right));
    let path = entry
        .and_then(|e| e["files"].as_object())
        .and_then(|files| {
            let named = |key: &str| {
                key == wanted.file_type
                    || (wanted.file_type == "lex" && key.to_lowercase().starts_with("lex"))
            };
            files
                .iter()
                .find(|(key, _)| named(key))
                .and_then(|(_, file)| file["path"].as_str())
        });
    let path = path.ok_or_else(|| {
        let what = format!("{} {from}-{to} {}", wanted.file_type, wanted.architecture);
        records_error(registry, format!("no entry for {what}"))
    })?;
    let base = root["baseUrl"]
        .as_str()
        .ok_or_else(|| records_error(registry, "no baseUrl"))?;
    if path.contains("..") || path.contains("://") {
        return Err(records_error(registry, format!("odd path `{path}`")));
    }
    Ok(Remote {
        url: join(base, path),
        ..Remote::default()
    })
}

/// The address of an object of a Git LFS remote, by the batch interface that the protocol defines.
pub(crate) fn git_lfs(
    remote: &str,
    oid: &str,
    size: u64,
    client: &Client<'_>,
) -> Result<Remote, FetchError> {
    let url = format!(
        "{}.git/info/lfs/objects/batch",
        remote.trim_end_matches('/')
    );
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
pub(crate) fn hub_files(
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
    let text = client.text(
        &Remote {
            url: url.clone(),
            ..Remote::default()
        },
        None,
    )?;
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
pub(crate) fn hub_cached(
    hub: &HubRepo,
    family: Family,
    options: &FetchOptions,
) -> Option<(Vec<ModelFile>, String)> {
    let folder = format!("models--{}", hub.repo.replace('/', "--"));
    let home = options.hub_home.as_ref()?.join("hub").join(folder);
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

    fn wanted(id: &str) -> Manifest {
        manifest::find(id).unwrap()
    }

    fn record(name: &str, kind: &str, version: &str, hash: &str) -> Value {
        serde_json::json!({
            "name": name, "fileType": kind, "sourceLanguage": "ar", "targetLanguage": "en",
            "architecture": "base-memory", "version": version, "decompressedHash": hash,
            "decompressedSize": 7,
            "attachment": {"location": format!("w/{name}-{version}"), "hash": "0".repeat(64), "size": "5"},
        })
    }

    #[test]
    fn takes_the_record_with_the_pinned_hash_else_the_newest_release() {
        let manifest = wanted("firefox-ar-en");
        let pinned = manifest.file[0].sha256.clone().unwrap();
        let text = serde_json::json!({"data": [
            {"fileType": "something else"},
            record("model.aren.intgemm.alphas.bin", "model", "2.0", &"1".repeat(64)),
            record("model.aren.intgemm.alphas.bin", "model", "1.0", &pinned),
            record("lex.aren.s2t.bin", "lex", "9.0", &"2".repeat(64)),
            record("lex.50.50.aren.s2t.bin", "lex", "2.0a1", &"3".repeat(64)),
            record("lex.50.50.aren.s2t.bin", "lex", "2.0", &"4".repeat(64)),
            record("lex.50.50.aren.s2t.bin", "lex", "1.9", &"5".repeat(64)),
            record("lex.50.50.aren.s2t.bin", "lex", "1.0", &"6".repeat(64)),
        ]})
        .to_string();
        let find = |index: usize, file_type| {
            let file = &manifest.file[index];
            let wanted = Wanted {
                manifest: &manifest,
                file,
                file_type,
                architecture: "base-memory",
            };
            choose_record("r", "https://a.example/", &wanted, &text)
        };
        let model = find(0, "model").unwrap();
        assert_eq!(
            model.remote.url,
            "https://a.example/w/model.aren.intgemm.alphas.bin-1.0"
        );
        assert_eq!(model.remote.size, Some(5));
        let lex = find(2, "lex").unwrap();
        assert_eq!(
            lex.unpacked_sha256,
            Some("6".repeat(64)),
            "of the version of the pinned model"
        );
        assert!(find(1, "vocab").is_err());
    }

    #[test]
    fn reads_the_registry_and_prefers_what_is_released() {
        let manifest = wanted("firefox-en-ar");
        let text = serde_json::json!({"baseUrl": "https://b.example/x", "models": {"en-ar": [
            {"architecture": "tiny", "releaseStatus": "Release", "files": {"lexicalShortlist": {"path": "no"}}},
            {"architecture": "base-memory", "releaseStatus": "Nightly", "files": {"lexicalShortlist": {"path": "n"}}},
            {"architecture": "base-memory", "releaseStatus": "Release", "files": {"lexicalShortlist": {"path": "a/l.gz"}}},
        ]}})
        .to_string();
        let file = &manifest.file[2];
        let wanted = Wanted {
            manifest: &manifest,
            file,
            file_type: "lex",
            architecture: "base-memory",
        };
        assert_eq!(
            choose_entry("r", &wanted, &text).unwrap().url,
            "https://b.example/x/a/l.gz"
        );
        assert!(choose_entry("r", &wanted, &text.replace("a/l.gz", "../l")).is_err());
        assert!(choose_entry("r", &wanted, "[]").is_err());
    }

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
