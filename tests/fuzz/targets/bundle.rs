//! Bundles: an import publishes a whole model or nothing, and writes nowhere else.
#![no_main]
use libfuzzer_sys::fuzz_target;
use std::fs;
use tarjama::models::{bundle, store::Store};

fuzz_target!(|data: &[u8]| {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let path = dir.path().join("bundle.tar");
    fs::write(&path, data).expect("a file");
    let store = Store::new(dir.path().join("cache"));
    let done = bundle::import(&store, &path, None, None);
    if done.is_err() {
        assert!(store.list().is_empty());
    }
    let names = fs::read_dir(dir.path()).expect("a folder").flatten();
    let known = |name: &str| matches!(name, "bundle.tar" | "cache");
    assert!(names.map(|e| e.file_name()).all(|n| n.to_str().is_some_and(known)));
});
