//! Lockfiles of installed models.
#![no_main]
use libfuzzer_sys::fuzz_target;
use std::path::{Component, Path};
use tarjama::models::store::LockFile;

fuzz_target!(|data: &str| {
    let Ok(lock) = LockFile::parse(data) else { return };
    for path in lock.files.keys() {
        let inside = |c| matches!(c, Component::Normal(_));
        assert!(Path::new(path).components().all(inside), "{path}");
    }
    let _ = lock.total_size();
});
