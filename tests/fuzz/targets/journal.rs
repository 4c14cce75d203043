//! Output files: `status` counts whole records and calls the rest torn.
#![no_main]
use libfuzzer_sys::fuzz_target;
use std::fs;
use tarjama::run::{record::Head, status};

fuzz_target!(|data: &[u8]| {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let output = dir.path().join("a.jsonl");
    fs::write(&output, data).expect("a file");
    let status = status(&output);
    let mut whole = 0;
    let mut rest = data;
    while let Some(end) = rest.iter().position(|&b| b == b'\n') {
        let line = rest[..end].strip_suffix(b"\r").unwrap_or(&rest[..end]);
        if Head::parse(line).is_none() {
            break;
        }
        whole += 1;
        rest = &rest[end + 1..];
    }
    let Ok(status) = status else {
        assert!(whole == 0 && !data.is_empty());
        return;
    };
    assert_eq!(status.counts.records(), whole);
    assert_eq!(status.torn_bytes, rest.len() as u64);
});
