//! Fetching from a server that breaks off, changes, lies, and is busy.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::io::Write;
use std::time::{Duration, Instant};

use tarjama::models::bundle;
use tarjama::models::fetch::{FetchError, FetchOptions, fetch_model};
use tarjama::models::manifest::Manifest;
use tarjama::models::store::Store;

use crate::server::{Server, content, length, put, reply, serve, sha};

fn manifest(source: &str, file: &[u8]) -> Manifest {
    let (size, hash) = (file.len(), sha(file));
    let text = format!(
        "id = \"m\"\nabout = \"test\"\ntask = \"translate\"\nfamily = \"firefox\"\n\
         directions = [\"en-ar\"]\nlicence = \"MIT\"\n[[file]]\npath = \"model.bin\"\n\
         size = {size}\nsha256 = \"{hash}\"\nsource = [{source}]\n"
    );
    Manifest::parse(&text, "test").unwrap()
}

fn url(address: &str) -> String {
    format!("{{ kind = \"url\", url = \"{address}/f\" }}")
}

fn options() -> FetchOptions {
    FetchOptions {
        back_off: Duration::from_millis(1),
        stall: Duration::from_millis(500),
        ..FetchOptions::default()
    }
}

/// Fetches `file` from `server`; the store, to look at what is left.
fn fetch(server: &Server, file: &[u8]) -> (tempfile::TempDir, Result<Vec<u8>, FetchError>) {
    let cache = tempfile::tempdir().unwrap();
    let store = Store::new(cache.path().to_path_buf());
    let got = fetch_model(&manifest(&url(&server.address), file), &store, &options())
        .map(|dir| std::fs::read(dir.join("model.bin")).unwrap());
    assert_eq!(
        store.installed("m").is_some(),
        got.is_ok(),
        "installed whole or not at all"
    );
    (cache, got)
}

#[test]
fn a_connection_that_breaks_off_is_resumed_not_begun_again() {
    let file = content(1);
    let copy = file.clone();
    let server = Server::new(move |r, _, s| serve(r, s, &copy, "a", 70_000));
    let (cache, got) = fetch(&server, &file);
    assert_eq!(got.unwrap(), file);
    let starts: Vec<_> = server
        .seen()
        .iter()
        .map(crate::server::Request::from)
        .collect();
    assert_eq!(starts, [None, Some(70_000), Some(140_000)]);
    assert!(!cache.path().join("models/m/partial").exists());
}

#[test]
fn a_later_process_goes_on_where_an_earlier_one_was_killed() {
    let file = content(2);
    let copy = file.clone();
    let server = Server::new(move |r, n, s| match n {
        1 => serve(r, s, &copy, "a", 50_000),
        2..=4 => reply(s, "500 No", &[length(0)], b""),
        _ => serve(r, s, &copy, "a", usize::MAX),
    });
    let cache = tempfile::tempdir().unwrap();
    let store = Store::new(cache.path().to_path_buf());
    let manifest = manifest(&url(&server.address), &file);
    assert!(fetch_model(&manifest, &store, &options()).is_err());
    fetch_model(&manifest, &store, &options()).unwrap();
    assert_eq!(server.seen().last().unwrap().from(), Some(50_000));
}

#[test]
fn a_file_that_changes_between_two_parts_is_never_mixed() {
    let (old, new) = (content(3), content(4));
    // Both a server that honours If-Range and one that ignores it.
    for honest in [true, false] {
        let (a, b) = (old.clone(), new.clone());
        let server = Server::new(move |r, n, s| match (n, honest) {
            (1, _) => serve(r, s, &a, "old", 70_000),
            (2, false) => {
                let rest = &b[70_000..];
                let range = format!("Content-Range: bytes 70000-{}/{}", b.len() - 1, b.len());
                let headers = ["ETag: \"new\"".to_owned(), range, length(rest.len())];
                reply(s, "206 Part", &headers, rest);
            }
            _ => serve(r, s, &b, "new", usize::MAX),
        });
        assert_eq!(fetch(&server, &new).1.unwrap(), new);
    }
}

#[test]
fn a_server_that_knows_no_ranges_still_serves() {
    let file = content(5);
    let copy = file.clone();
    let server = Server::new(move |_, n, s| {
        let most = if n == 1 { 70_000 } else { copy.len() };
        let headers = [length(copy.len()), "Last-Modified: then".to_owned()];
        reply(s, "200 OK", &headers, &copy[..most]);
    });
    assert_eq!(fetch(&server, &file).1.unwrap(), file);
}

#[test]
fn what_is_whole_already_is_success_on_416() {
    let file = content(6);
    let copy = file.clone();
    let server = Server::new(move |r, _, s| serve(r, s, &copy, "a", usize::MAX));
    let cache = tempfile::tempdir().unwrap();
    let partial = cache.path().join("models/m/partial");
    std::fs::create_dir_all(&partial).unwrap();
    put(&partial.join("model.bin.0.part"), &file);
    let note = format!(
        "{{\"url\":\"{}/f\",\"validator\":\"\\\"a\\\"\"}}",
        server.address
    );
    put(&partial.join("model.bin.0.part.json"), note.as_bytes());
    let store = Store::new(cache.path().to_path_buf());
    fetch_model(&manifest(&url(&server.address), &file), &store, &options()).unwrap();
    assert_eq!(server.seen().len(), 1);
}

#[test]
fn too_much_is_refused_before_it_fills_the_disk() {
    let file = content(7);
    for announced in [true, false] {
        let mut long = file.clone();
        long.extend_from_slice(b"more");
        let server = Server::new(move |_, _, s| {
            let headers = if announced {
                vec![length(long.len())]
            } else {
                Vec::new()
            };
            reply(s, "200 OK", &headers, &long);
        });
        let error = fetch(&server, &file).1.unwrap_err();
        assert!(error.is_verification(), "{error}");
    }
}

#[test]
fn too_little_is_refused() {
    let file = content(8);
    for announced in [true, false] {
        let short = file[..1000].to_vec();
        let server = Server::new(move |_, _, s| {
            let headers = if announced {
                vec![length(short.len())]
            } else {
                Vec::new()
            };
            reply(s, "200 OK", &headers, &short);
        });
        let error = fetch(&server, &file).1.unwrap_err();
        assert!(error.is_verification(), "{error}");
    }
}

#[test]
fn other_bytes_of_the_right_size_are_refused() {
    let (file, other) = (content(9), content(10));
    let server = Server::new(move |r, _, s| serve(r, s, &other, "a", usize::MAX));
    let error = fetch(&server, &file).1.unwrap_err();
    assert!(error.is_verification());
    assert!(error.to_string().contains("SHA-256"), "{error}");
}

#[test]
fn a_busy_server_is_asked_again_and_not_for_ever() {
    let file = content(11);
    let copy = file.clone();
    let server = Server::new(move |r, n, s| match n {
        1 => reply(
            s,
            "429 Slow",
            &["Retry-After: 0".to_owned(), length(0)],
            b"",
        ),
        2 => reply(s, "503 Busy", &[length(0)], b""),
        _ => serve(r, s, &copy, "a", usize::MAX),
    });
    assert_eq!(fetch(&server, &file).1.unwrap(), file);
    let server = Server::new(|_, _, s| reply(s, "503 Busy", &[length(0)], b""));
    let error = fetch(&server, &file).1.unwrap_err();
    assert!(!error.is_verification() && !error.needs_user(), "{error}");
    assert_eq!(server.seen().len(), 4);
}

#[test]
fn a_busy_server_that_names_a_date_is_left_alone_until_then() {
    let file = content(18);
    let copy = file.clone();
    let server = Server::new(move |r, n, s| match n {
        1 => {
            let headers = [
                "Date: Wed, 21 Oct 2015 07:28:00 GMT".to_owned(),
                "Retry-After: Wed, 21 Oct 2015 07:28:01 GMT".to_owned(),
                length(0),
            ];
            reply(s, "503 Busy", &headers, b"");
        }
        _ => serve(r, s, &copy, "a", usize::MAX),
    });
    let start = Instant::now();
    assert_eq!(fetch(&server, &file).1.unwrap(), file);
    assert!(
        start.elapsed() >= Duration::from_secs(1),
        "{:?}",
        start.elapsed()
    );
}

#[test]
fn a_missing_file_falls_back_to_the_next_source() {
    let file = content(12);
    let copy = file.clone();
    let gone = Server::new(|_, _, s| reply(s, "404 No", &[length(0)], b""));
    let good = Server::new(move |r, _, s| serve(r, s, &copy, "a", usize::MAX));
    let sources = format!("{}, {}", url(&gone.address), url(&good.address));
    let cache = tempfile::tempdir().unwrap();
    let store = Store::new(cache.path().to_path_buf());
    fetch_model(&manifest(&sources, &file), &store, &options()).unwrap();
    assert_eq!(gone.seen().len(), 1, "a 404 is final");
}

#[test]
fn a_token_stays_with_its_host() {
    let file = content(13);
    let copy = file.clone();
    let other = Server::new(move |r, _, s| serve(r, s, &copy, "a", usize::MAX));
    let target = other.address.clone();
    let hub = Server::new(move |_, _, s| {
        reply(
            s,
            "302 There",
            &[format!("Location: {target}/g"), length(0)],
            b"",
        );
    });
    let cache = tempfile::tempdir().unwrap();
    let store = Store::new(cache.path().to_path_buf());
    let options = FetchOptions {
        hub_endpoint: hub.address.clone(),
        hub_token: Some("secret".to_owned()),
        ..options()
    };
    assert!(!format!("{options:?}").contains("secret"));
    fetch_model(&manifest(&url(&hub.address), &file), &store, &options).unwrap();
    assert_eq!(hub.seen()[0].header("authorization"), Some("Bearer secret"));
    assert_eq!(other.seen()[0].path, "/g");
    assert_eq!(other.seen()[0].header("authorization"), None);
}

#[test]
fn a_redirect_without_end_ends() {
    let server =
        Server::new(|_, _, s| reply(s, "302 On", &["Location: /f".to_owned(), length(0)], b""));
    let error = fetch(&server, b"x").1.unwrap_err();
    assert!(error.to_string().contains("redirects"), "{error}");
}

#[test]
fn two_processes_fetch_once() {
    let file = content(14);
    let copy = file.clone();
    let server = Server::new(move |r, _, s| {
        std::thread::sleep(Duration::from_millis(100));
        serve(r, s, &copy, "a", usize::MAX);
    });
    let cache = tempfile::tempdir().unwrap();
    let manifest = manifest(&url(&server.address), &file);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let store = Store::new(cache.path().to_path_buf());
                fetch_model(&manifest, &store, &options()).unwrap();
            });
        }
    });
    assert_eq!(server.seen().len(), 1);
}

#[test]
fn packed_files_are_unpacked_checked_and_bounded() {
    let file = content(15);
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&file).unwrap();
    let gzip = gzip.finish().unwrap();
    let zstd = zstd::encode_all(file.as_slice(), 1).unwrap();
    let bomb = zstd::encode_all(vec![0u8; 50 << 20].as_slice(), 1).unwrap();
    for (kind, body, good) in [
        ("gzip", gzip.clone(), true),
        ("zstd", zstd, true),
        ("zstd", bomb, false),
        ("zstd", gzip, false),
    ] {
        let server = Server::new(move |r, _, s| serve(r, s, &body, "a", usize::MAX));
        let source = format!(
            "{{ kind = \"url\", url = \"{}/f\", compression = \"{kind}\" }}",
            server.address
        );
        let cache = tempfile::tempdir().unwrap();
        let store = Store::new(cache.path().to_path_buf());
        let got = fetch_model(&manifest(&source, &file), &store, &options());
        assert_eq!(got.is_ok(), good, "{kind}: {got:?}");
        match got {
            Ok(dir) => assert_eq!(std::fs::read(dir.join("model.bin")).unwrap(), file),
            Err(error) => assert!(error.is_verification(), "{error}"),
        }
    }
}

#[test]
fn a_hurried_fetch_says_within_seconds_that_nobody_answers() {
    // Accepts connections and never speaks.
    let server = Server::new(|_, _, _| std::thread::sleep(Duration::from_secs(20)));
    let sources = vec![url(&server.address); 3].join(", ");
    let cache = tempfile::tempdir().unwrap();
    let store = Store::new(cache.path().to_path_buf());
    let start = Instant::now();
    let error = fetch_model(&manifest(&sources, b"x"), &store, &options().hurried()).unwrap_err();
    assert!(
        start.elapsed() < Duration::from_secs(5),
        "{:?}",
        start.elapsed()
    );
    assert!(!error.is_verification());
}

#[test]
fn offline_and_unaccepted_licences_ask_nobody() {
    let server = Server::new(|_, _, s| reply(s, "200 OK", &[length(0)], b""));
    let cache = tempfile::tempdir().unwrap();
    let store = Store::new(cache.path().to_path_buf());
    let mut manifest = manifest(&url(&server.address), b"x");
    let offline = FetchOptions {
        offline: true,
        ..options()
    };
    let error = fetch_model(&manifest, &store, &offline).unwrap_err();
    assert!(
        error.needs_user() && error.to_string().contains("models import"),
        "{error}"
    );
    manifest.consent = Some(tarjama::models::manifest::Consent::NonCommercial);
    let error = fetch_model(&manifest, &store, &options()).unwrap_err();
    assert!(
        error.needs_user() && error.to_string().contains("--accept-licence"),
        "{error}"
    );
    assert!(server.seen().is_empty());
}

#[test]
fn a_hub_repository_is_pinned_at_its_head() {
    let weights = content(16);
    let (hash, copy) = (sha(&weights), weights.clone());
    let info = format!(
        "{{\"sha\":\"abc123\",\"siblings\":[{{\"rfilename\":\"config.json\"}},{{\"rfilename\":\
         \"../evil.json\"}},{{\"rfilename\":\"tf_model.h5\"}},{{\"rfilename\":\"model.safetensors\",\
         \"size\":{},\"lfs\":{{\"sha256\":\"{hash}\"}}}}]}}",
        weights.len()
    );
    let server = Server::new(move |r, _, s| match r.path.as_str() {
        "/api/models/o/n/revision/main?blobs=true" => serve(r, s, info.as_bytes(), "i", usize::MAX),
        "/o/n/resolve/abc123/config.json" => serve(r, s, b"{}", "c", usize::MAX),
        "/o/n/resolve/abc123/model.safetensors" => serve(r, s, &copy, "w", usize::MAX),
        _ => reply(s, "404 No", &[length(0)], b""),
    });
    let text = "id = \"h\"\nabout = \"\"\ntask = \"translate\"\nfamily = \"hf\"\nlicence = \"MIT\"\n\
                directions = [\"en-ar\"]\n[hub]\nrepo = \"o/n\"\n";
    let manifest = Manifest::parse(text, "test").unwrap();
    let cache = tempfile::tempdir().unwrap();
    let store = Store::new(cache.path().to_path_buf());
    let options = FetchOptions {
        hub_endpoint: server.address.clone(),
        ..options()
    };
    let dir = fetch_model(&manifest, &store, &options).unwrap();
    assert!(dir.ends_with("h/abc123"));
    let lock = store.locked("h").unwrap();
    assert_eq!(
        lock.files.keys().collect::<Vec<_>>(),
        ["config.json", "model.safetensors"]
    );
}

#[test]
fn a_bundle_carries_a_model_to_a_machine_without_a_network() {
    let file = content(17);
    let copy = file.clone();
    let server = Server::new(move |r, _, s| serve(r, s, &copy, "a", usize::MAX));
    let (cache, got) = fetch(&server, &file);
    got.unwrap();
    let store = Store::new(cache.path().to_path_buf());
    let tar = cache.path().join("m.tar");
    bundle::write(&store, &["m".to_owned()], &tar).unwrap();
    let other = tempfile::tempdir().unwrap();
    let there = Store::new(other.path().to_path_buf());
    bundle::import(&there, &tar, None, None).unwrap();
    assert_eq!(
        std::fs::read(there.installed("m").unwrap().join("model.bin")).unwrap(),
        file
    );
    let best = there
        .best_for(manifest("", b"").parsed_directions()[0])
        .unwrap();
    assert_eq!(best.0.id, "m");
    // One flipped bit, and nothing is installed.
    let mut bytes = std::fs::read(&tar).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    put(&tar, &bytes);
    let third = tempfile::tempdir().unwrap();
    let there = Store::new(third.path().to_path_buf());
    assert!(bundle::import(&there, &tar, None, None).is_err());
    assert!(there.installed("m").is_none());
}

#[test]
fn a_hostile_bundle_writes_nothing_outside() {
    type Make = fn(&mut tar::Builder<Vec<u8>>);
    fn raw(tar: &mut tar::Builder<Vec<u8>>, name: &[u8], kind: tar::EntryType, link: &[u8]) {
        let mut header = tar::Header::new_gnu();
        header.as_mut_bytes()[..name.len()].copy_from_slice(name);
        header.as_mut_bytes()[157..157 + link.len()].copy_from_slice(link);
        header.set_entry_type(kind);
        header.set_size(0);
        header.set_mode(0o644);
        header.set_cksum();
        tar.append(&header, std::io::empty()).unwrap();
    }
    let cases: [Make; 5] = [
        |t| raw(t, b"../evil", tar::EntryType::Regular, b""),
        |t| raw(t, b"/tmp/evil", tar::EntryType::Regular, b""),
        |t| raw(t, b"m/files/../../evil", tar::EntryType::Regular, b""),
        |t| raw(t, b"m/files/l", tar::EntryType::Symlink, b"/etc/passwd"),
        |t| raw(t, b"m/files/l", tar::EntryType::Link, b"../../evil"),
    ];
    for (index, make) in cases.iter().enumerate() {
        let dir = tempfile::tempdir().unwrap();
        let mut builder = tar::Builder::new(Vec::new());
        make(&mut builder);
        let path = dir.path().join("b.tar");
        put(&path, &builder.into_inner().unwrap());
        let store = Store::new(dir.path().join("cache"));
        assert!(
            bundle::import(&store, &path, None, None).is_err(),
            "case {index}"
        );
        assert_eq!(
            std::fs::read_dir(dir.path()).unwrap().count(),
            1,
            "case {index}"
        );
    }
}

/// An entry of a tar, as hostile as its maker likes.
fn entry(name: &str, kind: u8, size: usize, content: &[u8]) -> Vec<u8> {
    let mut header = tar::Header::new_gnu();
    header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
    header.set_entry_type(tar::EntryType::new(kind));
    header.set_size(size as u64);
    header.set_cksum();
    let mut out = header.as_bytes().to_vec();
    out.extend_from_slice(content);
    out.resize(out.len().next_multiple_of(512), 0);
    out
}

#[test]
fn a_bundle_whose_names_are_longer_than_memory_is_refused() {
    for kind in [b'L', b'K', b'x'] {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("b.tar.gz");
        let file = std::fs::File::create(&path).unwrap();
        let mut packed = flate2::write::GzEncoder::new(file, flate2::Compression::fast());
        let size = 64 << 20;
        packed.write_all(&entry("long", kind, size, b"")).unwrap();
        packed.write_all(&vec![b'a'; size]).unwrap();
        packed.finish().unwrap();
        let store = Store::new(dir.path().join("cache"));
        let error = bundle::import(&store, &path, None, None).unwrap_err();
        assert!(error.to_string().contains("too large"), "{error}");
    }
}

#[test]
fn a_bundle_that_names_a_model_twice_is_refused_and_not_waited_for() {
    let file = content(5);
    let copy = file.clone();
    let server = Server::new(move |r, _, s| serve(r, s, &copy, "a", usize::MAX));
    let (cache, got) = fetch(&server, &file);
    got.unwrap();
    let lock = std::fs::read(cache.path().join("models/m/lock.json")).unwrap();
    let twice = entry("m/lock.json", b'0', lock.len(), &lock).repeat(2);
    let path = cache.path().join("b.tar");
    put(&path, &twice);
    let there = Store::new(cache.path().join("there"));
    let error = bundle::import(&there, &path, None, None).unwrap_err();
    assert!(error.to_string().contains("stands twice"), "{error}");
}

#[test]
fn what_is_no_bundle_is_refused_in_words_that_a_terminal_can_show() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::new(dir.path().join("cache"));
    for rubbish in [
        &b"hello"[..],
        &[0x9b; 4096],
        b"\x1f\x8b\x08rubbish",
        b"\x28\xb5\x2f\xfdrubbish",
    ] {
        let path = dir.path().join("b.tar");
        put(&path, rubbish);
        let error = bundle::import(&store, &path, None, None).unwrap_err();
        assert!(
            matches!(error, bundle::BundleError::Refused { .. }),
            "{error:?}"
        );
        assert!(!error.to_string().contains(char::is_control), "{error}");
    }
}

#[test]
fn a_directory_of_ones_own_is_imported_under_its_direction() {
    let dir = tempfile::tempdir().unwrap();
    let own = dir.path().join("my-model");
    std::fs::create_dir(&own).unwrap();
    let store = Store::new(dir.path().join("cache"));
    // What a server says instead of a file is no model.
    put(
        &own.join("model.enar.intgemm.alphas.bin"),
        b"<html>404</html>",
    );
    put(&own.join("vocab.enar.spm"), b"<html>404</html>");
    let error = bundle::import(&store, &own, None, None).unwrap_err();
    assert!(error.to_string().contains("does not load"), "{error}");
    assert!(store.list().is_empty());
    // Version 1 with no tensors and no padding; an unknown and an end piece.
    let empty: Vec<u8> = [1u64, 0, 0]
        .into_iter()
        .flat_map(u64::to_le_bytes)
        .collect();
    put(&own.join("model.enar.intgemm.alphas.bin"), &empty);
    put(
        &own.join("vocab.enar.spm"),
        b"\x0a\x08\x0a\x04</s>\x18\x03\x0a\x09\x0a\x05<unk>\x18\x02",
    );
    bundle::import(&store, &own, None, None).unwrap();
    let lock = store.locked("my-model").unwrap();
    assert_eq!(lock.manifest.directions, ["en-ar"]);
    // Cut off on disk, it counts as installed no more.
    let installed = store.installed("my-model").unwrap();
    put(&installed.join("vocab.enar.spm"), b"v");
    assert!(store.installed("my-model").is_none());
}
