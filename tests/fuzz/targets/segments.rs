//! Sentences: ranges in order, on characters, with nothing but white space between them.
#![no_main]
use libfuzzer_sys::fuzz_target;
use std::ops::Range;
use tarjama::text::{Lang, detect, segments, split_long};

fn covers(text: &str, ranges: &[Range<usize>]) {
    let mut at = 0;
    for range in ranges {
        assert!(text[at..range.start].trim().is_empty(), "lost: {:?}", &text[at..range.start]);
        assert!(!text[range.clone()].is_empty());
        at = range.end;
    }
    assert!(text[at..].trim().is_empty(), "lost: {:?}", &text[at..]);
}

fuzz_target!(|data: (u8, &str)| {
    let (limit, text) = data;
    let _ = detect(text);
    for lang in [Lang::EN, Lang::AR] {
        covers(text, &segments(text, lang));
    }
    let limit = usize::from(limit).max(4);
    let pieces = split_long(text, &|piece| piece.len() <= limit);
    covers(text, &pieces);
    assert!(pieces.iter().all(|p| p.len() <= limit));
});
