//! Headers and datelines: cut off without loss, rewritten without a panic.
#![no_main]
use libfuzzer_sys::fuzz_target;
use tarjama::article::{BlockKind, header::translate_header, plain};
use tarjama::text::Lang;

fuzz_target!(|data: &str| {
    let article = plain::parse(data, false);
    assert_eq!(article.text(), data);
    for block in article.blocks.iter().filter(|b| b.kind == BlockKind::Header) {
        assert!(block.text.chars().count() <= 100);
    }
    for to in [Lang::EN, Lang::AR, Lang::PT] {
        let _ = translate_header(data, to);
    }
});
