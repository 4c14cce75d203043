//! A line of JSONL: an article whose text has the bytes of the field, or an error with a kind.
#![no_main]
use libfuzzer_sys::fuzz_target;
use tarjama::article::jsonl::{FieldMap, parse_line};

fuzz_target!(|data: &[u8]| {
    let mut mapped = FieldMap::default();
    for mapping in ["text=story", "id=key", "title=head", "date=day", "lang=tongue"] {
        mapped.set(mapping).expect("a mapping of the documentation");
    }
    for fields in [FieldMap::default(), mapped] {
        match parse_line(data, &fields) {
            Ok(article) => assert!(!article.text().trim().is_empty()),
            Err(error) => assert!(!error.message.is_empty() && !error.kind.name().is_empty()),
        }
    }
});
