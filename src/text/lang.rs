//! Language codes, one form for all spellings.

use std::fmt;

/// A language, as the primary subtag of its shortest ISO 639 code (`en`, `ar`, `pt`).
///
/// Spellings that users and models bring (`ara`, `arb_Arab`, `ar_AR`, `AR`, `eng_Latn`,
/// `English`) are brought into this one form by [`Lang::parse`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Lang([u8; 3]);

impl Lang {
    /// English.
    pub const EN: Self = Self(*b"en\0");
    /// Arabic.
    pub const AR: Self = Self(*b"ar\0");
    /// Portuguese.
    pub const PT: Self = Self(*b"pt\0");

    /// The code: two letters where ISO 639-1 has one, else three.
    #[must_use]
    pub fn code(&self) -> &str {
        let len = if self.0[2] == 0 { 2 } else { 3 };
        std::str::from_utf8(&self.0[..len]).unwrap_or("und")
    }
}

impl fmt::Display for Lang {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl fmt::Debug for Lang {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Lang({})", self.code())
    }
}

/// A translation direction.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Direction {
    /// Source language.
    pub from: Lang,
    /// Target language.
    pub to: Lang,
}

impl fmt::Display for Direction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.from, self.to)
    }
}
