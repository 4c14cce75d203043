//! The binary lexical shortlist of Marian: for each source word the target words worth scoring.

use super::marian_bin::{FormatError, Reader};

/// First eight bytes of the file.
const MAGIC: u64 = 0xF11A_48D5_0134_17F5;

/// Target words by source word.
#[derive(Clone, Debug)]
pub struct Lexicon {
    frequent: usize,
    offsets: Vec<u32>,
    words: Vec<u32>,
}

impl Lexicon {
    /// Parses a file for a target vocabulary of `target_size` words.
    ///
    /// # Errors
    /// When the file is cut off, or names words or places outside its bounds.
    pub fn parse(bytes: &[u8], target_size: usize) -> Result<Self, FormatError> {
        let mut reader = Reader::new(bytes);
        if reader.u64("the header of the shortlist")? != MAGIC {
            return Err(FormatError::Invalid("not a binary shortlist".into()));
        }
        let checksum = reader.u64("the header of the shortlist")?;
        if checksum != hash(bytes.get(16..).unwrap_or_default()) {
            return Err(FormatError::Invalid(
                "the shortlist is damaged: its checksum differs".into(),
            ));
        }
        let frequent = reader.size("the header of the shortlist")?;
        let _best = reader.size("the header of the shortlist")?;
        let offset_count = reader.size("the header of the shortlist")?;
        let word_count = reader.size("the header of the shortlist")?;
        let announced = offset_count
            .checked_mul(8)
            .and_then(|n| word_count.checked_mul(4).and_then(|m| n.checked_add(m)));
        if announced != Some(reader.left()) {
            return Err(FormatError::Invalid(
                "the shortlist's size is not what its header says".into(),
            ));
        }
        let mut offsets = Vec::with_capacity(offset_count);
        let mut last = 0;
        for _ in 0..offset_count {
            let offset = reader.u64("the shortlist's table")?;
            let offset = u32::try_from(offset)
                .ok()
                .filter(|&o| o >= last && o as usize <= word_count)
                .ok_or_else(|| FormatError::Invalid("the shortlist's table is damaged".into()))?;
            offsets.push(offset);
            last = offset;
        }
        let mut words = Vec::with_capacity(word_count);
        for raw in reader
            .take(word_count * 4, "the shortlist's words")?
            .chunks_exact(4)
        {
            let word = u32::from_le_bytes([raw[0], raw[1], raw[2], raw[3]]);
            if word as usize >= target_size {
                return Err(FormatError::Invalid(format!(
                    "the shortlist names word {word} of a vocabulary of {target_size}"
                )));
            }
            words.push(word);
        }
        Ok(Self {
            frequent,
            offsets,
            words,
        })
    }

    /// Number of first words of the vocabulary that are always candidates.
    #[must_use]
    pub fn frequent(&self) -> usize {
        self.frequent
    }

    /// Target words of a source word; none for a word outside the table.
    #[must_use]
    pub fn targets(&self, source: u32) -> &[u32] {
        let at = source as usize;
        match (self.offsets.get(at), self.offsets.get(at + 1)) {
            (Some(&start), Some(&end)) => &self.words[start as usize..end as usize],
            _ => &[],
        }
    }
}

/// Marian's checksum: a running combination of the 8-byte words; a last half word does not count.
fn hash(bytes: &[u8]) -> u64 {
    bytes.chunks_exact(8).fold(0u64, |seed, raw| {
        let value = raw.iter().rev().fold(0u64, |v, &b| v << 8 | u64::from(b));
        let mixed = value
            .wrapping_add(0x9e37_79b9)
            .wrapping_add(seed << 6)
            .wrapping_add(seed >> 2);
        seed ^ mixed
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(offsets: &[u64], words: &[u32]) -> Vec<u8> {
        let mut body = Vec::new();
        for value in [50, 50, offsets.len() as u64, words.len() as u64] {
            body.extend(value.to_le_bytes());
        }
        body.extend(offsets.iter().flat_map(|o| o.to_le_bytes()));
        body.extend(words.iter().flat_map(|w| w.to_le_bytes()));
        let mut out = MAGIC.to_le_bytes().to_vec();
        out.extend(hash(&body).to_le_bytes());
        out.extend(body);
        out
    }

    #[test]
    fn keeps_the_words_of_each_source_word() {
        let lexicon = Lexicon::parse(&file(&[0, 1, 3], &[7, 5, 6]), 8).unwrap();
        assert_eq!(lexicon.targets(0), [7]);
        assert_eq!(lexicon.targets(1), [5, 6]);
        assert!(lexicon.targets(2).is_empty());
        assert!(lexicon.targets(u32::MAX).is_empty());
    }

    #[test]
    fn fails_when_damaged() {
        let good = file(&[0, 1, 3], &[7, 5, 6]);
        for end in 0..good.len() {
            assert!(Lexicon::parse(&good[..end], 8).is_err(), "{end}");
        }
        assert!(Lexicon::parse(&good, 7).is_err());
        assert!(Lexicon::parse(&file(&[0, 4, 3], &[7, 5, 6]), 8).is_err());
        assert!(Lexicon::parse(&file(&[2, 1, 3], &[7, 5, 6]), 8).is_err());
        let mut flipped = good;
        flipped[20] ^= 1;
        assert!(Lexicon::parse(&flipped, 8).is_err());
    }
}
