//! Ids of articles: given ones are kept, missing ones made from the text.

use std::collections::{BTreeMap, HashSet};

use sha2::{Digest, Sha256};

/// All ids of a run, 16 bytes each.
///
/// Every shard scans all articles, so all shards make the same ids.
#[derive(Debug, Default)]
pub(crate) struct Ids {
    seen: HashSet<u128>,
    /// Next suffix of texts that have come before.
    repeats: BTreeMap<u128, u64>,
}

impl Ids {
    /// Takes an id that the input gave; `false` when it has been taken before.
    pub(crate) fn take(&mut self, id: &str) -> bool {
        self.seen.insert(key(id))
    }

    /// Makes an id from the digest of a source text: 16 hex digits, `-2`, `-3` on repeats.
    pub(crate) fn make(&mut self, digest: &[u8; 32]) -> String {
        let base = hex(&digest[..8]);
        if self.take(&base) {
            return base;
        }
        let mut next = self.repeats.get(&key(&base)).copied().unwrap_or(2);
        loop {
            let id = format!("{base}-{next}");
            next += 1;
            if self.take(&id) {
                self.repeats.insert(key(&base), next);
                return id;
            }
        }
    }
}

fn key(id: &str) -> u128 {
    let digest = Sha256::digest(id.as_bytes());
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    u128::from_le_bytes(bytes)
}

/// SHA-256 of some bytes.
pub(crate) fn digest(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// Lower-case hex.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_ids_of_repeated_texts_apart() {
        let mut ids = Ids::default();
        let text = digest(b"wire copy");
        let base = hex(&text[..8]);
        assert!(ids.take(&format!("{base}-3")), "a given id");
        assert_eq!(ids.make(&text), base);
        assert_eq!(ids.make(&text), format!("{base}-2"));
        assert_eq!(ids.make(&text), format!("{base}-4"));
        assert!(!ids.take(&base), "a given id that repeats a made one");
    }
}
