//! The precompiled normaliser of a sentencepiece model: a double-array trie over byte strings
//! whose leaves point at replacements.

use super::spm::SpmError;

/// Longest replacement in bytes; that of U+FDFA, the longest of Unicode's, has 33.
const MAX_REPLACEMENT: usize = 1024;

/// Replacement rules; the longest match wins.
#[derive(Clone, Debug, Default)]
pub(super) struct Charsmap {
    units: Vec<u32>,
    texts: Vec<u8>,
}

impl Charsmap {
    pub(super) fn parse(blob: &[u8]) -> Result<Self, SpmError> {
        if blob.is_empty() {
            return Ok(Self::default());
        }
        let (size, rest) = blob.split_at_checked(4).ok_or(SpmError::Truncated)?;
        let size = u32::from_le_bytes([size[0], size[1], size[2], size[3]]) as usize;
        let (trie, texts) = rest.split_at_checked(size).ok_or(SpmError::Truncated)?;
        if !size.is_multiple_of(4) || texts.last() != Some(&0) {
            return Err(SpmError::Invalid("its normaliser is damaged"));
        }
        let units = trie
            .chunks_exact(4)
            .map(|b| u32::from_le_bytes([b[0], b[1], b[2], b[3]]))
            .collect();
        Ok(Self {
            units,
            texts: texts.to_vec(),
        })
    }

    /// The longest rule that `input` starts with: its length in bytes and its replacement.
    pub(super) fn longest(&self, input: &[u8]) -> Option<(usize, &str)> {
        let mut node = offset(*self.units.first()?);
        let mut found = None;
        for (at, &byte) in input.iter().enumerate() {
            node ^= usize::from(byte);
            let Some(&unit) = self.units.get(node) else {
                break;
            };
            if unit & (1 << 31 | 0xff) != u32::from(byte) {
                break;
            }
            node ^= offset(unit);
            if unit >> 8 & 1 == 1 {
                match self.units.get(node) {
                    Some(&leaf) => found = Some((at + 1, leaf & 0x7fff_ffff)),
                    None => break,
                }
            }
        }
        let (length, start) = found?;
        let text = self.texts.get(start as usize..)?;
        let end = text.iter().take(MAX_REPLACEMENT).position(|&b| b == 0)?;
        std::str::from_utf8(&text[..end])
            .ok()
            .map(|text| (length, text))
    }
}

fn offset(unit: u32) -> usize {
    ((unit >> 10) << ((unit & 1 << 9) >> 6)) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fails_when_damaged() {
        assert!(Charsmap::parse(&[1]).is_err());
        assert!(Charsmap::parse(&[255, 255, 255, 255, 0]).is_err());
        assert!(Charsmap::parse(&[4, 0, 0, 0, 0, 0, 0, 0, b'a']).is_err());
    }

    #[test]
    fn fails_when_a_replacement_would_blow_a_text_up() {
        // One rule: `a`, by a unit at its place and a leaf that points at the texts.
        let with = |length: usize| {
            let mut units = vec![0u32; 512];
            units[0] = 1 << 10;
            units[usize::from(b'a') ^ 1] = u32::from(b'a') | 1 << 8 | 256 << 10;
            units[(usize::from(b'a') ^ 1) ^ 256] = 1 << 31;
            let mut texts = vec![b'x'; length];
            texts.push(0);
            Charsmap { units, texts }
        };
        assert_eq!(with(2).longest(b"ab"), Some((1, "xx")));
        assert_eq!(with(1 << 20).longest(b"ab"), None);
    }

    #[test]
    fn finds_nothing_in_wild_tries() {
        for seed in 0..200u32 {
            let units: Vec<u32> = (0..64)
                .map(|i| (seed * 977 + i + 1).wrapping_mul(2_654_435_761))
                .collect();
            let map = Charsmap {
                units,
                texts: vec![0],
            };
            for byte in 0..=255 {
                let _ = map.longest(&[byte, byte, b'a']);
            }
        }
    }
}
