//! `tokenizer.json`.
#![no_main]
use libfuzzer_sys::fuzz_target;
use tarjama::tokenize::hf::HfTokenizer;

fuzz_target!(|data: &[u8]| {
    // The library's own panics are caught by the reader; no hook may end the process before that.
    std::panic::set_hook(Box::new(|_| ()));
    let Ok(tokenizer) = HfTokenizer::from_bytes(data) else { return };
    if let Ok(ids) = tokenizer.encode("a ab 12 وصل") {
        let _ = tokenizer.decode(&ids);
    }
    let _ = tokenizer.decode(&[0, 1, u32::MAX]);
});
