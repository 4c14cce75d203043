//! Files as `run` reads them: every article is counted once, in order, whatever the bytes.
#![no_main]
use libfuzzer_sys::fuzz_target;
use std::collections::BTreeSet;
use std::fs;
use tarjama::article::jsonl::FieldMap;
use tarjama::run::Input;

const NAMES: [&str; 8] = [
    "a.jsonl", "a.jsonl.gz", "a.jsonl.zst", "a.txt", "a.md", "a.html", "a.txt.gz", "a.html.zst",
];

fuzz_target!(|data: (u8, &[u8])| {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let name = NAMES[usize::from(data.0) % NAMES.len()];
    let path = dir.path().join(name);
    fs::write(&path, data.1).expect("a file");
    let input = Input {
        paths: vec![path],
        max_bytes: 256,
        fields: FieldMap::default(),
        output: None,
        text_dir: None,
    };
    let mut ids = BTreeSet::new();
    for (index, item) in input.items(Default::default()).enumerate() {
        let item = item.expect("a file that stays there");
        assert_eq!(item.index, index as u64);
        assert!(item.bytes <= 257);
        let repeated = item.content.as_ref().is_err_and(|e| e.kind == "duplicate_id");
        assert_eq!(ids.insert(item.id), !repeated);
    }
});
