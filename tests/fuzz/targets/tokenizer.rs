//! `tokenizer.json`.
#![no_main]
use libfuzzer_sys::fuzz_target;
use tarjama::tokenize::hf::HfTokenizer;

fuzz_target!(|data: &[u8]| {
    let Ok(tokenizer) = HfTokenizer::from_bytes(data) else { return };
    if let Ok(ids) = tokenizer.encode("a ab 12 وصل") {
        let _ = tokenizer.decode(&ids);
    }
    let _ = tokenizer.decode(&[0, 1, u32::MAX]);
});
