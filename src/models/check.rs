//! Whether files are whole and of the kind that their names say, where no pinned hash tells.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::formats::checkpoint::Checkpoint;
use crate::formats::gguf::Gguf;
use crate::formats::lexical::Lexicon;
use crate::formats::marian_bin::MarianFile;
use crate::tokenize::spm::Spm;

/// How much of a GGUF file is read at first to find its metadata.
const FIRST_READ: u64 = 16 << 20;
/// Largest metadata of a GGUF file.
const MAX_HEAD: u64 = 1 << 30;

/// What is wrong with the files of a model, by name; none where nothing shows.
pub(crate) fn damage(files: &BTreeMap<String, PathBuf>) -> Option<String> {
    let mut gguf = Vec::new();
    for (name, path) in files {
        if name.ends_with(".gguf") || is_part(name) {
            gguf.push((name, path));
        }
        if let Err(why) = one(name, path) {
            return Some(format!("`{name}` {why}"));
        }
    }
    let (name, _) = gguf.first()?;
    let parts: Vec<&PathBuf> = if is_part(name) {
        gguf.iter().map(|(_, path)| *path).collect()
    } else {
        vec![gguf.first()?.1]
    };
    whole_gguf(&parts)
        .err()
        .map(|why| format!("`{name}` {why}"))
}

fn is_part(name: &str) -> bool {
    name.rsplit_once(".gguf.")
        .is_some_and(|(_, number)| number.parse::<u32>().is_ok())
}

fn is_torch(name: &str) -> bool {
    name.starts_with("pytorch_model") && name.ends_with(".bin")
}

fn one(name: &str, path: &Path) -> Result<(), String> {
    let unread = |e: io::Error| format!("cannot be read: {e}");
    let size = std::fs::metadata(path).map_err(unread)?.len();
    let weights = [".gguf", ".bin", ".safetensors", ".spm"];
    if size == 0 && (is_part(name) || weights.iter().any(|end| name.ends_with(end))) {
        return Err("is empty".to_owned());
    }
    let bytes = || std::fs::read(path).map_err(unread);
    if name.ends_with(".spm") {
        Spm::parse(&bytes()?).map_err(|e| format!("does not load: {e}"))?;
    } else if name.ends_with(".safetensors") || is_torch(name) {
        Checkpoint::from_files(&[path.to_owned()])
            .map_err(|e| format!("does not load: {}", with_cause(&e)))?;
    } else if name.starts_with("lex.") && name.ends_with(".bin") {
        Lexicon::parse(&bytes()?, usize::MAX).map_err(|e| format!("does not load: {e}"))?;
    } else if name.starts_with("model.") && name.ends_with(".bin") && name != "model.bin" {
        MarianFile::parse(&bytes()?).map_err(|e| format!("does not load: {e}"))?;
    }
    Ok(())
}

fn with_cause(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}

/// The metadata can be read, and the files are as long as it says.
fn whole_gguf(parts: &[&PathBuf]) -> Result<(), String> {
    let unread = |e: io::Error| format!("cannot be read: {e}");
    let mut total = 0u64;
    for path in parts {
        total = total.saturating_add(std::fs::metadata(path).map_err(unread)?.len());
    }
    let first = parts.first().ok_or("is missing")?;
    let size = std::fs::metadata(first).map_err(unread)?.len();
    let mut limit = FIRST_READ;
    loop {
        let mut head = Vec::new();
        let file = File::open(first).map_err(unread)?;
        file.take(limit).read_to_end(&mut head).map_err(unread)?;
        match Gguf::parse(&[&head]) {
            Ok(gguf) if gguf.data_end() as u64 <= total => return Ok(()),
            Ok(gguf) => {
                return Err(format!(
                    "is cut off: it has {total} bytes of {}",
                    gguf.data_end()
                ));
            }
            // The metadata may go on beyond what was read.
            Err(_) if limit < size.min(MAX_HEAD) && head.starts_with(b"GGUF") => limit *= 4,
            Err(e) => return Err(format!("does not load: {e}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(files: &[(&str, &[u8])]) -> Option<String> {
        let dir = tempfile::tempdir().unwrap();
        let write = |(name, bytes): &(&str, &[u8])| {
            let path = dir.path().join(name);
            crate::disk::atomic::write_atomic(&path, bytes).unwrap();
            ((*name).to_owned(), path)
        };
        damage(&files.iter().map(write).collect())
    }

    /// One tensor of 128 bytes.
    fn gguf() -> Vec<u8> {
        let mut out = b"GGUF\x03\0\0\0".to_vec();
        for number in [1u64, 0, 1] {
            out.extend(number.to_le_bytes());
        }
        out.extend(b"w\x01\0\0\0");
        out.extend(32u64.to_le_bytes());
        out.extend([0; 12]);
        out.resize(out.len().next_multiple_of(32) + 128, 0);
        out
    }

    #[test]
    fn fails_when_weights_are_cut_off_or_something_else() {
        let whole = gguf();
        let head = br#"{"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#;
        let tensors = [&(head.len() as u64).to_le_bytes()[..], head, &[0; 4]].concat();
        assert_eq!(check(&[("a.gguf", &whole)]), None);
        assert_eq!(check(&[("w.safetensors", &tensors), ("a.json", b"")]), None);
        let (one, two) = whole.split_at(whole.len() - 64);
        assert_eq!(check(&[("a.gguf.1", one), ("a.gguf.2", two)]), None);
        for (name, bytes) in [
            ("a.gguf", one),
            ("a.gguf.1", one),
            ("a.gguf", b""),
            ("a.gguf", b"<html>404</html>"),
            ("w.safetensors", &tensors[..tensors.len() - 1]),
            ("w.safetensors", b"<html>404</html>"),
            ("model.enar.bin", b"<html>404</html>"),
            ("lex.50.50.enar.bin", b"<html>404</html>"),
            ("vocab.enar.spm", b"<html>404</html>"),
            ("model.bin", b""),
        ] {
            let why = check(&[(name, bytes)]);
            assert!(why.is_some_and(|w| w.contains(name)), "{name}");
        }
    }
}
