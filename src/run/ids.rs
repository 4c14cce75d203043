//! Ids of articles: given ones are kept, missing ones made from the text.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

/// All ids of a run, some 17 bytes each.
///
/// Every shard scans all articles, so all shards make the same ids.
#[derive(Debug, Default)]
pub(crate) struct Ids {
    seen: Seen,
    /// Next suffix of texts that have come often.
    repeats: BTreeMap<u128, u64>,
}

/// Suffixes that are tried one by one: a text that comes so often gets an entry of its own, so that
/// a thousand copies are not a thousand times a thousand tries.
const TRIED: u64 = 16;

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
        // Ids are never given back, so the first free suffix lies behind the last one made.
        let mut next = self.repeats.get(&key(&base)).copied().unwrap_or(2);
        loop {
            let id = format!("{base}-{next}");
            next += 1;
            if self.take(&id) {
                if next > TRIED {
                    self.repeats.insert(key(&base), next);
                }
                return id;
            }
        }
    }
}

/// A set of keys that grows by a little at a time: keys with the same first 16 bits are one list,
/// whose other 112 bits are kept.
///
/// Nothing is ever copied as a whole, so the peak of memory is what the set holds.
#[derive(Debug)]
struct Seen(Vec<Vec<[u8; 14]>>);

impl Default for Seen {
    fn default() -> Self {
        Self(vec![Vec::new(); 1 << 16])
    }
}

impl Seen {
    /// Whether `key` is new.
    fn insert(&mut self, key: u128) -> bool {
        let bytes = key.to_be_bytes();
        let mut rest = [0; 14];
        rest.copy_from_slice(&bytes[2..]);
        let list = &mut self.0[usize::from(u16::from_be_bytes([bytes[0], bytes[1]]))];
        if list.contains(&rest) {
            return false;
        }
        if list.len() == list.capacity() {
            list.reserve_exact(list.len() / 8 + 1);
        }
        list.push(rest);
        true
    }
}

/// Half of the SHA-256 of an id, which stands for it: among a thousand million ids the chance that
/// any two have the same is below 10^-20, and nobody knows how to write two such ids.
pub(crate) fn key(id: &str) -> u128 {
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
    fn keeps_ids_of_texts_that_repeat_often_in_a_row() {
        let (mut ids, text) = (Ids::default(), digest(b"wire copy"));
        let base = hex(&text[..8]);
        assert!(ids.take(&format!("{base}-40")), "a given id");
        let made: Vec<String> = (0..60).map(|_| ids.make(&text)).collect();
        let suffixes = (2..62).filter(|n| *n != 40).map(|n| format!("{base}-{n}"));
        let wanted: Vec<String> = std::iter::once(base.clone()).chain(suffixes).collect();
        assert_eq!(made, wanted);
    }

    #[test]
    fn keeps_every_key_of_a_large_set() {
        let mut seen = Seen::default();
        let keys: Vec<u128> = (0..100_000).map(|n: u32| key(&n.to_string())).collect();
        assert!(keys.iter().all(|key| seen.insert(*key)));
        assert!(!keys.iter().any(|key| seen.insert(*key)));
        // Keys that differ in one bit alone.
        let bits = (0..128).filter(|bit| seen.insert(keys[0] ^ 1 << bit));
        assert_eq!(bits.count(), 128);
    }

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
