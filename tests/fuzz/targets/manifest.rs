//! Model manifests: what passes the check keeps its files inside its directory.
#![no_main]
use libfuzzer_sys::fuzz_target;
use std::path::{Component, Path};
use tarjama::models::manifest::{Manifest, is_plain_name};

fuzz_target!(|data: &str| {
    let Ok(manifest) = Manifest::parse(data, "fuzz") else { return };
    assert!(is_plain_name(&manifest.id));
    for file in &manifest.file {
        let inside = |c| matches!(c, Component::Normal(_));
        assert!(Path::new(&file.path).components().all(inside), "{}", file.path);
    }
    let _ = manifest.total_size();
    let _ = manifest.parsed_directions();
});
