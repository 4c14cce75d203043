//! Plain text and Markdown: the blocks of an article, joined, are its text byte for byte.
#![no_main]
use libfuzzer_sys::fuzz_target;
use tarjama::article::{BlockKind, plain};

fuzz_target!(|data: &str| {
    for markdown in [false, true] {
        let article = plain::parse(data, markdown);
        assert_eq!(article.text(), data);
        for block in &article.blocks {
            assert_eq!(block.text.trim(), block.text, "white space is no part of a block's text");
            assert!(block.kind != BlockKind::Blank || block.text.is_empty());
            let _ = plain::looks_wrapped(&block.text);
        }
    }
});
