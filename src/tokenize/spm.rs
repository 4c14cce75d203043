//! Sentencepiece models (`.spm`), unigram and byte-pair: normalisation, segmentation, and text
//! again.

use std::collections::BTreeMap;

use super::bpe;
use super::charsmap::Charsmap;
use super::protobuf::{Field, Message};
use super::trie::Trie;

/// Why a sentencepiece model could not be read.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum SpmError {
    /// The file ends too early.
    #[error("the vocabulary is cut off")]
    Truncated,
    /// The file is damaged, or of a kind that is not supported.
    #[error("the vocabulary cannot be used: {0}")]
    Invalid(&'static str),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Normal,
    Unknown,
    Control,
    UserDefined,
    Unused,
    Byte(u8),
}

#[derive(Clone, Debug)]
struct Piece {
    text: Box<str>,
    score: f32,
    kind: Kind,
}

/// How much worse than the worst piece an unknown character is.
const UNKNOWN_PENALTY: f32 = 10.0;
/// Stands for a space inside pieces.
const SPACE: char = '\u{2581}';
/// What an unknown piece reads as.
const UNKNOWN_TEXT: &str = " \u{2047} ";

/// A sentencepiece tokeniser.
#[derive(Clone, Debug)]
pub struct Spm {
    pieces: Vec<Piece>,
    /// The pieces that may match text, by their text.
    matching: Trie,
    charsmap: Charsmap,
    /// The charsmap as the file has it.
    raw_charsmap: Vec<u8>,
    dummy_prefix: bool,
    trim_spaces: bool,
    escape_spaces: bool,
    /// Byte-pair merges in the place of a unigram model.
    bpe: bool,
    unknown_id: u32,
    eos_id: u32,
    unknown_score: f32,
    max_score: f32,
    /// Ids of the 256 byte pieces, where unknown characters fall back to them.
    bytes: Option<Box<[u32; 256]>>,
    /// Ids of all pieces.
    by_text: BTreeMap<Box<str>, u32>,
}

struct Settings<'a> {
    charsmap: &'a [u8],
    dummy_prefix: bool,
    trim_spaces: bool,
    escape_spaces: bool,
    byte_fallback: bool,
    bpe: bool,
}

impl Spm {
    /// Reads the bytes of a model file.
    ///
    /// # Errors
    /// When the file is damaged, or neither a unigram nor a byte-pair model.
    pub fn parse(bytes: &[u8]) -> Result<Self, SpmError> {
        let mut pieces = Vec::new();
        let mut settings = Settings {
            charsmap: &[],
            dummy_prefix: true,
            trim_spaces: true,
            escape_spaces: true,
            byte_fallback: false,
            bpe: false,
        };
        for field in Message::new(bytes) {
            match field? {
                (1, Field::Bytes(piece)) => pieces.push(read_piece(piece)?),
                (2, Field::Bytes(trainer)) => read_trainer(trainer, &mut settings)?,
                (3, Field::Bytes(normaliser)) => read_normaliser(normaliser, &mut settings)?,
                _ => {}
            }
        }
        Self::build(pieces, &settings)
    }

    fn build(pieces: Vec<Piece>, settings: &Settings<'_>) -> Result<Self, SpmError> {
        let find = |wanted: &dyn Fn(&Piece) -> bool| {
            pieces
                .iter()
                .position(wanted)
                .and_then(|id| u32::try_from(id).ok())
        };
        let unknown_id = find(&|p| p.kind == Kind::Unknown)
            .ok_or(SpmError::Invalid("it has no unknown piece"))?;
        let eos_id = find(&|p| p.kind == Kind::Control && &*p.text == "</s>")
            .ok_or(SpmError::Invalid("it has no end-of-sentence piece"))?;
        let mut sorted: Vec<u32> = (0u32..)
            .zip(&pieces)
            .filter(|(_, p)| {
                matches!(p.kind, Kind::Normal | Kind::UserDefined) && !p.text.is_empty()
            })
            .map(|(id, _)| id)
            .collect();
        sorted.sort_by(|&a, &b| pieces[a as usize].text.cmp(&pieces[b as usize].text));
        let text = |id: u32| &pieces[id as usize].text;
        if sorted.windows(2).any(|two| text(two[0]) == text(two[1])) {
            return Err(SpmError::Invalid("a piece stands in it twice"));
        }
        let stored: Vec<(&[u8], u32)> =
            sorted.iter().map(|&id| (text(id).as_bytes(), id)).collect();
        let matching = Trie::new(&stored);
        let scores = || {
            pieces
                .iter()
                .filter(|p| p.kind == Kind::Normal)
                .map(|p| p.score)
        };
        let (min, max) = (
            scores().fold(f32::MAX, f32::min),
            scores().fold(f32::MIN, f32::max),
        );
        let bytes = if settings.byte_fallback {
            let mut ids = Box::new([unknown_id; 256]);
            for (id, piece) in (0u32..).zip(&pieces) {
                if let Kind::Byte(byte) = piece.kind {
                    ids[usize::from(byte)] = id;
                }
            }
            Some(ids)
        } else {
            None
        };
        Ok(Self {
            matching,
            charsmap: Charsmap::parse(settings.charsmap)?,
            raw_charsmap: settings.charsmap.to_vec(),
            dummy_prefix: settings.dummy_prefix,
            trim_spaces: settings.trim_spaces,
            escape_spaces: settings.escape_spaces,
            bpe: settings.bpe,
            unknown_id,
            eos_id,
            unknown_score: min - UNKNOWN_PENALTY,
            max_score: max,
            bytes,
            by_text: (0u32..)
                .zip(&pieces)
                .map(|(id, piece)| (piece.text.clone(), id))
                .collect(),
            pieces,
        })
    }

    /// Number of pieces.
    #[must_use]
    pub fn len(&self) -> usize {
        self.pieces.len()
    }

    /// The vocabulary has no pieces; never so for one that was read.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    /// Id of the end-of-sentence piece.
    #[must_use]
    pub fn eos_id(&self) -> u32 {
        self.eos_id
    }

    /// Id of the unknown piece.
    #[must_use]
    pub fn unknown_id(&self) -> u32 {
        self.unknown_id
    }

    /// The text as the pieces see it: characters replaced by rule, spaces trimmed and escaped.
    #[must_use]
    pub fn normalise(&self, text: &str) -> String {
        let space = if self.escape_spaces { SPACE } else { ' ' };
        let mut rest = text;
        let mut out = String::with_capacity(text.len() * 3);
        let mut after_space = self.trim_spaces;
        let mut begun = false;
        while let Some((chunk, length)) = self.next_normal(rest) {
            rest = &rest[length..];
            let chunk = if after_space {
                chunk.trim_start_matches(' ')
            } else {
                chunk
            };
            if chunk.is_empty() {
                continue;
            }
            if !begun {
                begun = true;
                if self.dummy_prefix {
                    out.push(space);
                }
            }
            out.extend(chunk.chars().map(|c| if c == ' ' { space } else { c }));
            after_space = self.trim_spaces && chunk.ends_with(' ');
        }
        if self.trim_spaces {
            out.truncate(out.trim_end_matches(space).len());
        }
        out
    }

    fn next_normal<'t>(&'t self, rest: &'t str) -> Option<(&'t str, usize)> {
        let character = rest.chars().next()?;
        Some(match self.charsmap.longest(rest.as_bytes()) {
            Some((length, text)) if rest.is_char_boundary(length) => (text, length),
            _ => (&rest[..character.len_utf8()], character.len_utf8()),
        })
    }

    /// Ids of the segmentation of `text`, without an end marker.
    #[must_use]
    pub fn encode(&self, text: &str) -> Vec<u32> {
        let text = self.normalise(text);
        let mut ids = Vec::new();
        for (start, end, id) in self.segments(&text) {
            match &self.bytes {
                Some(bytes) if id == self.unknown_id => {
                    let of = text.as_bytes()[start..end].iter();
                    ids.extend(of.map(|&b| bytes[usize::from(b)]));
                }
                _ => ids.push(id),
            }
        }
        ids
    }

    /// Pieces of the segmentation of `text`; a run of unknown characters stands as it is.
    #[must_use]
    pub fn encode_pieces(&self, text: &str) -> Vec<String> {
        let text = self.normalise(text);
        let mut pieces = Vec::new();
        for (start, end, id) in self.segments(&text) {
            match &self.bytes {
                Some(bytes) if id == self.unknown_id => {
                    let of = text.as_bytes()[start..end].iter();
                    let id = |b: &u8| bytes[usize::from(*b)] as usize;
                    pieces.extend(of.map(|b| self.pieces[id(b)].text.to_string()));
                }
                _ => pieces.push(text[start..end].to_owned()),
            }
        }
        pieces
    }

    /// Start, end and id of each piece of a normalised text; unknown neighbours are one.
    fn segments(&self, text: &str) -> Vec<(usize, usize, u32)> {
        let split = if self.bpe {
            self.merged(text)
        } else {
            self.unigram(text)
        };
        let mut out: Vec<(usize, usize, u32)> = Vec::with_capacity(split.len());
        for (start, end, id) in split {
            match out.last_mut() {
                Some(last) if id == self.unknown_id && last.2 == id => last.1 = end,
                _ => out.push((start, end, id)),
            }
        }
        out
    }

    fn unigram(&self, text: &str) -> Vec<(usize, usize, u32)> {
        let steps = self.best_path(text);
        let mut split = Vec::new();
        let mut end = text.len();
        while end > 0 {
            let step = steps[end];
            split.push((step.start as usize, end, step.id));
            end = step.start as usize;
        }
        split.reverse();
        split
    }

    fn merged(&self, text: &str) -> Vec<(usize, usize, u32)> {
        let whole = |rest: &str| {
            let mut longest = None;
            self.matching
                .for_each_prefix(rest.as_bytes(), |length, id| {
                    if self.pieces[id as usize].kind == Kind::UserDefined {
                        longest = Some(length);
                    }
                });
            longest
        };
        let score = |piece: &str| self.find(piece).map(|id| self.pieces[id as usize].score);
        let mut start = 0;
        bpe::merge(text, whole, score)
            .into_iter()
            .map(|end| {
                let id = self.find(&text[start..end]).unwrap_or(self.unknown_id);
                let segment = (start, end, id);
                start = end;
                segment
            })
            .collect()
    }

    /// Id of a piece that may match text.
    fn find(&self, piece: &str) -> Option<u32> {
        self.matching.get(piece.as_bytes())
    }

    /// The normaliser's rules as the file has them.
    pub(super) fn raw_charsmap(&self) -> &[u8] {
        &self.raw_charsmap
    }

    /// Text, score and kind of every piece, in the order of their ids.
    pub(super) fn raw_pieces(&self) -> impl Iterator<Item = (&str, f32, Kind)> {
        self.pieces.iter().map(|p| (&*p.text, p.score, p.kind))
    }

    /// The text of `pieces`; those that are not the vocabulary's stand as they are.
    ///
    /// Source: google/sentencepiece `src/sentencepiece_processor.cc`, `Decode`.
    #[must_use]
    pub fn decode_pieces<'p>(&self, pieces: impl Iterator<Item = &'p str>) -> String {
        let mut out: Vec<u8> = Vec::new();
        let mut space_seen = false;
        for piece in pieces {
            let id = self.by_text.get(piece).copied();
            match id.map(|id| self.pieces[id as usize].kind) {
                None => out.extend(piece.as_bytes()),
                Some(Kind::Control) => {}
                Some(Kind::Unknown) => out.extend(UNKNOWN_TEXT.as_bytes()),
                Some(Kind::Byte(byte)) => out.push(byte),
                Some(_) => {
                    let mut text = piece;
                    if out.is_empty() && !space_seen && (self.dummy_prefix || self.trim_spaces) {
                        text = text.strip_prefix(SPACE).unwrap_or(text);
                        space_seen = text.len() < piece.len() && !self.trim_spaces;
                    }
                    out.extend(text.replace(SPACE, " ").as_bytes());
                }
            }
        }
        String::from_utf8_lossy(&out).into_owned()
    }

    /// For each end of a character the best piece that ends there.
    fn best_path(&self, text: &str) -> Vec<Step> {
        let mut steps = vec![
            Step {
                score: f32::NEG_INFINITY,
                start: 0,
                id: 0
            };
            text.len() + 1
        ];
        steps[0].score = 0.0;
        for (start, character) in text.char_indices() {
            let so_far = steps[start].score;
            let width = character.len_utf8();
            let mut single = false;
            self.matching
                .for_each_prefix(&text.as_bytes()[start..], |length, id| {
                    let piece = &self.pieces[id as usize];
                    let score = if piece.kind == Kind::UserDefined {
                        length as f32 * self.max_score - 0.1
                    } else {
                        piece.score
                    };
                    steps[start + length].offer(so_far + score, start, id);
                    single |= length == width;
                });
            if !single {
                steps[start + width].offer(so_far + self.unknown_score, start, self.unknown_id);
            }
        }
        steps
    }

    /// The text of `ids`; control pieces leave no trace.
    #[must_use]
    pub fn decode(&self, ids: &[u32]) -> String {
        let mut out: Vec<u8> = Vec::new();
        let mut begun = false;
        for &id in ids {
            let Some(piece) = self.pieces.get(id as usize) else {
                continue;
            };
            match piece.kind {
                Kind::Control => continue,
                Kind::Unknown => out.extend(UNKNOWN_TEXT.as_bytes()),
                Kind::Byte(byte) => out.push(byte),
                Kind::Normal | Kind::UserDefined | Kind::Unused => {
                    let mut text = &*piece.text;
                    if !begun && (self.dummy_prefix || self.trim_spaces) {
                        text = text.strip_prefix(SPACE).unwrap_or(text);
                    }
                    out.extend(text.replace(SPACE, " ").as_bytes());
                }
            }
            begun = true;
        }
        String::from_utf8_lossy(&out).into_owned()
    }
}

#[derive(Clone, Copy)]
struct Step {
    score: f32,
    start: u32,
    id: u32,
}

impl Step {
    fn offer(&mut self, score: f32, start: usize, id: u32) {
        if score > self.score {
            *self = Self {
                score,
                start: start as u32,
                id,
            };
        }
    }
}

fn read_piece(bytes: &[u8]) -> Result<Piece, SpmError> {
    let (mut text, mut score, mut code) = ("", 0.0, 1);
    for field in Message::new(bytes) {
        match field? {
            (1, Field::Bytes(raw)) => {
                text = std::str::from_utf8(raw)
                    .map_err(|_| SpmError::Invalid("a piece is not UTF-8"))?;
            }
            (2, Field::Fixed32(raw)) => score = f32::from_le_bytes(raw),
            (3, Field::Int(value)) => code = value,
            _ => {}
        }
    }
    if !score.is_finite() {
        return Err(SpmError::Invalid("a piece has no finite score"));
    }
    let kind = match code {
        2 => Kind::Unknown,
        3 => Kind::Control,
        4 => Kind::UserDefined,
        5 => Kind::Unused,
        6 => Kind::Byte(
            text.strip_prefix("<0x")
                .and_then(|t| t.strip_suffix('>'))
                .and_then(|t| u8::from_str_radix(t, 16).ok())
                .ok_or(SpmError::Invalid("a byte piece names no byte"))?,
        ),
        _ => Kind::Normal,
    };
    Ok(Piece {
        text: text.into(),
        score,
        kind,
    })
}

fn read_trainer(bytes: &[u8], settings: &mut Settings<'_>) -> Result<(), SpmError> {
    for field in Message::new(bytes) {
        match field? {
            (3, Field::Int(kind)) => match kind {
                1 => settings.bpe = false,
                2 => settings.bpe = true,
                _ => {
                    return Err(SpmError::Invalid(
                        "only unigram and BPE models are supported",
                    ));
                }
            },
            (24, Field::Int(suffix)) if suffix != 0 => {
                return Err(SpmError::Invalid(
                    "spaces at the end of pieces are not supported",
                ));
            }
            (35, Field::Int(value)) => settings.byte_fallback = value != 0,
            _ => {}
        }
    }
    Ok(())
}

fn read_normaliser<'a>(bytes: &'a [u8], settings: &mut Settings<'a>) -> Result<(), SpmError> {
    for field in Message::new(bytes) {
        match field? {
            (2, Field::Bytes(charsmap)) => settings.charsmap = charsmap,
            (3, Field::Int(value)) => settings.dummy_prefix = value != 0,
            (4, Field::Int(value)) => settings.trim_spaces = value != 0,
            (5, Field::Int(value)) => settings.escape_spaces = value != 0,
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn model() -> Vec<u8> {
        of_pieces(&[
            ("</s>", 0.0, 3),
            ("<unk>", 0.0, 2),
            ("\u{2581}", -3.0, 1),
            ("a", -4.0, 1),
            ("b", -4.0, 1),
            ("\u{2581}ab", -5.0, 1),
            ("\u{2581}a", -4.5, 1),
        ])
    }

    fn of_pieces(pieces: &[(&str, f32, u8)]) -> Vec<u8> {
        let mut out = Vec::new();
        for &(text, score, kind) in pieces {
            let mut piece = vec![0x0a, u8::try_from(text.len()).unwrap()];
            piece.extend(text.as_bytes());
            piece.push(0x15);
            piece.extend(score.to_le_bytes());
            piece.extend([0x18, kind]);
            out.extend([0x0a, u8::try_from(piece.len()).unwrap()]);
            out.extend(piece);
        }
        out
    }

    #[test]
    fn keeps_text_through_ids() {
        let spm = Spm::parse(&model()).unwrap();
        assert_eq!(spm.encode("  ab  a "), [5, 6]);
        assert_eq!(spm.decode(&[5, 6, 0]), "ab a");
        assert!(spm.encode("   ").is_empty());
    }

    #[test]
    fn keeps_a_run_of_unknown_characters_as_one() {
        let spm = Spm::parse(&model()).unwrap();
        assert_eq!(spm.encode("a\u{645}\u{635}\u{631}b"), [6, 1, 4]);
        assert_eq!(spm.decode(&[6, 1, 4]), "a \u{2047} b");
    }

    #[test]
    fn fails_when_a_piece_stands_twice() {
        let pieces = [
            ("</s>", 0.0, 3),
            ("<unk>", 0.0, 2),
            ("ab", -1.0, 1),
            ("ab", -2.0, 4),
        ];
        let spm = Spm::parse(&of_pieces(&pieces));
        assert_eq!(
            spm.map(|s| s.encode("abab")),
            Err(SpmError::Invalid("a piece stands in it twice"))
        );
    }

    #[test]
    fn fails_when_cut_off() {
        let bytes = model();
        for end in 0..bytes.len() {
            let _ = Spm::parse(&bytes[..end]);
        }
        assert!(Spm::parse(&bytes[..bytes.len() - 1]).is_err());
        assert!(Spm::parse(b"").is_err());
    }
}
