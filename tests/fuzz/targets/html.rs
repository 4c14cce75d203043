//! HTML: any page gives an article, and no more text than a few times the page.
#![no_main]
use libfuzzer_sys::fuzz_target;
use tarjama::article::html;

fuzz_target!(|data: &str| {
    let article = html::parse(data);
    assert!(article.text().len() <= 64 + 32 * data.len());
    for block in &article.blocks {
        assert_eq!(block.text.trim(), block.text);
    }
});
