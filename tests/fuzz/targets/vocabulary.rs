//! Vocabularies of the hub's models in their own files, and text through them.
#![no_main]
use libfuzzer_sys::fuzz_target;
use std::fs;
use tarjama::tokenize::seq2seq::{Layout, Seq2SeqTokenizer};

const LAYOUTS: [Layout; 6] = [
    Layout::Marian, Layout::M2m100, Layout::ByteLevel, Layout::Mbart, Layout::Pegasus, Layout::T5,
];

fuzz_target!(|data: (u8, u16, &[u8])| {
    // The library's own panics are caught by the reader; no hook may end the process before that.
    std::panic::set_hook(Box::new(|_| ()));
    let dir = tempfile::tempdir().expect("a temporary folder");
    let (one, two) = data.2.split_at(usize::from(data.1).min(data.2.len()));
    for name in ["sentencepiece.bpe.model", "spiece.model", "source.spm", "target.spm", "merges.txt"] {
        fs::write(dir.path().join(name), one).expect("a file");
    }
    fs::write(dir.path().join("vocab.json"), two).expect("a file");
    fs::write(dir.path().join("tokenizer_config.json"), two).expect("a file");
    let layout = LAYOUTS[usize::from(data.0) % LAYOUTS.len()];
    let Ok(tokenizer) = Seq2SeqTokenizer::open(dir.path(), layout) else { return };
    if let Ok(ids) = tokenizer.encode("a ab 12 وصل") {
        let _ = tokenizer.decode(&ids);
    }
    let _ = tokenizer.decode(&[0, 1, u32::MAX]);
});
