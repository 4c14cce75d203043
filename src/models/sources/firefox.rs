//! Files of Firefox translations: Remote Settings records and the registry of models.

use serde::Deserialize;
use serde_json::Value;

use super::{Found, join, json, records_error};
use crate::models::fetch::FetchError;
use crate::models::http::{Client, Remote};
use crate::models::manifest::{self, Manifest, ModelFile};

/// The file that a list of records is searched for.
pub(super) struct Wanted<'a> {
    pub(super) manifest: &'a Manifest,
    pub(super) file: &'a ModelFile,
    pub(super) file_type: &'a str,
    pub(super) architecture: &'a str,
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
pub(super) fn remote_settings(
    records: &str,
    attachments: &str,
    wanted: &Wanted<'_>,
    client: &Client<'_>,
) -> Result<Found, FetchError> {
    let text = client.text(&Remote::at(records), None)?;
    choose_record(records, attachments, wanted, &text)
}

fn choose_record(
    records: &str,
    attachments: &str,
    wanted: &Wanted<'_>,
    text: &str,
) -> Result<Found, FetchError> {
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
    Ok(Found {
        packing: None,
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
pub(super) fn registry(
    registry: &str,
    wanted: &Wanted<'_>,
    client: &Client<'_>,
) -> Result<Remote, FetchError> {
    let text = client.text(&Remote::at(registry), None)?;
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
    Ok(Remote::at(&join(base, path)))
}

/// The addresses that both kinds of list give for the files of a manifest, for `tests/fuzz`.
#[cfg(fuzzing)]
pub(in crate::models) fn chosen(manifest: &Manifest, text: &str) -> Vec<String> {
    let mut urls = Vec::new();
    for (file, file_type) in manifest.file.iter().zip(["model", "vocab", "lex"]) {
        let wanted = Wanted {
            manifest,
            file,
            file_type,
            architecture: "base-memory",
        };
        let record = choose_record("r", "https://a.example/", &wanted, text);
        urls.extend(record.ok().map(|a| a.remote.url));
        urls.extend(choose_entry("r", &wanted, text).ok().map(|r| r.url));
    }
    urls
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
}
