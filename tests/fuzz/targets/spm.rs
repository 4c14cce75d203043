//! Sentencepiece models, their normalisers, and text through them.
#![no_main]
use libfuzzer_sys::fuzz_target;
use tarjama::tokenize::spm::Spm;

fuzz_target!(|data: (u8, &[u8])| {
    let (text, bytes) = data.1.split_at(usize::from(data.0 % 64).min(data.1.len()));
    let Ok(spm) = Spm::parse(bytes) else { return };
    for text in [&*String::from_utf8_lossy(text), "a ab  b\u{2581}b", "وصل، 12 \u{fdfa}"] {
        let ids = spm.encode(text);
        assert!(ids.iter().all(|&id| (id as usize) < spm.len()));
        let _ = spm.decode(&ids);
    }
    let _ = spm.decode(&[0, 1, u32::MAX]);
});
