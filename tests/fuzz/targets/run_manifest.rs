//! Run manifests, read beside an empty output.
#![no_main]
use libfuzzer_sys::fuzz_target;
use std::fs;
use tarjama::run::{Manifest, merge, status};

fuzz_target!(|data: &[u8]| {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let output = dir.path().join("a.jsonl");
    fs::write(&output, b"").expect("a file");
    fs::write(dir.path().join("a.jsonl.run.json"), data).expect("a file");
    let Ok(Some(manifest)) = Manifest::read(&output) else { return };
    let _ = manifest.fingerprint.difference(&manifest.fingerprint);
    let _ = status(&output);
    let _ = merge(&[output], &dir.path().join("merged.jsonl"), false);
});
