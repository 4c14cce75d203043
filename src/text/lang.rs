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

    /// Brings a spelling into the one form: ISO 639 codes of two or three letters, with region or
    /// script (`ar_AR`, `eng_Latn`, `en-GB`), and the names of the languages served best.
    ///
    /// `None` where the text cannot be a language code.
    #[must_use]
    pub fn parse(spelling: &str) -> Option<Self> {
        let lower = spelling.trim().to_lowercase();
        if let Some(&(_, code)) = ALIASES.iter().find(|(alias, _)| *alias == lower) {
            return Self::from_code(code);
        }
        let primary = lower.split(['-', '_', '.', '@']).next().unwrap_or_default();
        let code = ALIASES
            .iter()
            .find(|(alias, _)| *alias == primary)
            .map_or(primary, |a| a.1);
        Self::from_code(code)
    }

    fn from_code(code: &str) -> Option<Self> {
        if !code.bytes().all(|b| b.is_ascii_lowercase()) {
            return None;
        }
        match *code.as_bytes() {
            [a, b] => Some(Self([a, b, 0])),
            [a, b, c] => Some(Self([a, b, c])),
            _ => None,
        }
    }

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

/// Lower-case spellings that are not already the shortest code.
const ALIASES: &[(&str, &str)] = &[
    ("eng", "en"),
    ("english", "en"),
    ("الإنجليزية", "en"),
    ("الانجليزية", "en"),
    ("ara", "ar"),
    ("arb", "ar"),
    ("arabic", "ar"),
    ("العربية", "ar"),
    ("عربي", "ar"),
    ("por", "pt"),
    ("portuguese", "pt"),
    ("português", "pt"),
    ("fra", "fr"),
    ("fre", "fr"),
    ("french", "fr"),
    ("français", "fr"),
    ("spa", "es"),
    ("spanish", "es"),
    ("español", "es"),
    ("deu", "de"),
    ("ger", "de"),
    ("german", "de"),
    ("deutsch", "de"),
    ("ita", "it"),
    ("italian", "it"),
    ("rus", "ru"),
    ("russian", "ru"),
    ("tur", "tr"),
    ("turkish", "tr"),
    ("fas", "fa"),
    ("per", "fa"),
    ("pes", "fa"),
    ("persian", "fa"),
    ("farsi", "fa"),
    ("urd", "ur"),
    ("urdu", "ur"),
    ("heb", "he"),
    ("iw", "he"),
    ("hebrew", "he"),
    ("zho", "zh"),
    ("chi", "zh"),
    ("cmn", "zh"),
    ("chinese", "zh"),
    ("jpn", "ja"),
    ("japanese", "ja"),
    ("kor", "ko"),
    ("korean", "ko"),
    ("hin", "hi"),
    ("nld", "nl"),
    ("dut", "nl"),
    ("pol", "pl"),
    ("ukr", "uk"),
    ("ell", "el"),
    ("gre", "el"),
    ("swe", "sv"),
    ("fin", "fi"),
    ("ron", "ro"),
    ("rum", "ro"),
    ("ces", "cs"),
    ("cze", "cs"),
    ("hun", "hu"),
    ("ind", "id"),
    ("vie", "vi"),
    ("kur", "ku"),
    ("kmr", "ku"),
];

/// Words that are frequent in one of the Latin-script languages told apart, and rare in English.
const STOP_WORDS: &[(&str, &[&str])] = &[
    (
        "en",
        &[
            "the", "and", "of", "to", "is", "was", "that", "for", "with", "his", "has", "have",
            "are", "were", "said", "by", "from", "which", "this", "it", "be", "will", "their",
            "they", "he", "she", "not", "at", "been", "would", "who", "after", "its", "but", "in",
            "on", "no", "you", "we", "an", "or", "as", "between", "around", "about", "into",
            "killed", "my", "than", "can",
        ],
    ),
    (
        "pt",
        &[
            "não", "uma", "um", "os", "do", "da", "dos", "das", "em", "na", "no", "ao", "pelo",
            "pela", "com", "são", "também", "mais", "foi", "é", "e", "o", "as", "à", "sua", "seu",
            "para", "que", "de", "se", "por",
        ],
    ),
    (
        "fr",
        &[
            "le", "la", "les", "des", "du", "et", "est", "une", "dans", "pour", "qui", "sur",
            "pas", "au", "aux", "avec", "ont", "été", "ce", "cette", "à", "il", "elle", "sont",
            "un", "de", "que", "en", "se", "par",
        ],
    ),
    (
        "es",
        &[
            "el", "la", "los", "las", "del", "y", "una", "en", "con", "por", "para", "su", "al",
            "lo", "es", "fue", "también", "más", "pero", "como", "un", "de", "que", "se", "no",
        ],
    ),
    (
        "de",
        &[
            "der", "die", "das", "und", "ist", "nicht", "ein", "eine", "den", "dem", "von", "mit",
            "auf", "für", "im", "zu", "sich", "auch", "wurde", "des", "sind", "hat", "bei", "nach",
        ],
    ),
];

/// The language of a text, by script and by words; `None` where it has no letters of a known
/// script.
///
/// Arabic script is Arabic unless letters that Arabic lacks say Persian or Urdu clearly. Latin
/// script is English unless the stop words of another language outnumber the English ones.
#[must_use]
pub fn detect(text: &str) -> Option<Lang> {
    let (mut arabic, mut latin) = (0usize, 0usize);
    let (mut persian, mut urdu, mut arabic_only) = (0usize, 0usize, 0usize);
    for c in text.chars().filter(|c| c.is_alphabetic()) {
        match c {
            'ٹ' | 'ڈ' | 'ڑ' | 'ں' | 'ے' | 'ۓ' | 'ہ' | 'ھ' => {
                (arabic, urdu) = (arabic + 1, urdu + 1)
            }
            'پ' | 'چ' | 'ژ' | 'گ' | 'ک' | 'ی' => {
                (arabic, persian) = (arabic + 1, persian + 1)
            }
            'ة' | 'ى' | 'ي' | 'ك' | 'إ' => {
                (arabic, arabic_only) = (arabic + 1, arabic_only + 1);
            }
            '\u{0600}'..='\u{06FF}'
            | '\u{0750}'..='\u{077F}'
            | '\u{FB50}'..='\u{FDFF}'
            | '\u{FE70}'..='\u{FEFC}' => arabic += 1,
            'a'..='z' | 'A'..='Z' | '\u{00C0}'..='\u{024F}' | '\u{1E00}'..='\u{1EFF}' => latin += 1,
            _ => {}
        }
    }
    if arabic == 0 && latin == 0 {
        return None;
    }
    // An Arabic letter weighs more: Arabic words have fewer letters, as vowels are not written.
    if arabic * 5 >= latin * 4 {
        let foreign = persian + urdu;
        if foreign * 20 < arabic || foreign <= arabic_only {
            return Some(Lang::AR);
        }
        return Lang::from_code(if urdu * 12 > arabic { "ur" } else { "fa" });
    }
    Some(detect_latin(text))
}

fn detect_latin(text: &str) -> Lang {
    let mut scores = [0usize; STOP_WORDS.len()];
    // Words with a capital are names as often as not (`De Niro`, `Los Angeles`).
    let words = text.split(|c: char| !c.is_alphabetic());
    let words = words
        .filter(|w| w.starts_with(char::is_lowercase))
        .take(2000);
    for word in words {
        for (score, (_, stop_words)) in scores.iter_mut().zip(STOP_WORDS) {
            *score += usize::from(stop_words.contains(&word));
        }
    }
    let mut best = 0;
    for i in 1..scores.len() {
        if scores[i] > scores[best] {
            best = i;
        }
    }
    // One stray word is no evidence.
    if scores[best] < scores[0] + 2 {
        return Lang::EN;
    }
    Lang::from_code(STOP_WORDS[best].0).unwrap_or(Lang::EN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_one_form_for_all_spellings() {
        for s in [
            "en", "EN", "eng", "eng_Latn", "en_US", "en-GB", "English", " en ",
        ] {
            assert_eq!(Lang::parse(s), Some(Lang::EN), "{s}");
        }
        for s in [
            "ar",
            "AR",
            "ara",
            "arb",
            "arb_Arab",
            "ar_AR",
            "Arabic",
            "العربية",
            "ar-IQ",
        ] {
            assert_eq!(Lang::parse(s), Some(Lang::AR), "{s}");
        }
        for s in ["pt", "por", "por_Latn", "pt_BR", "Portuguese"] {
            assert_eq!(Lang::parse(s), Some(Lang::PT), "{s}");
        }
        assert_eq!(
            Lang::parse("ckb_Arab").map(|l| l.to_string()).as_deref(),
            Some("ckb")
        );
        for s in ["", "e", "klingon", "12", "x_y", "é2"] {
            assert_eq!(Lang::parse(s), None, "{s}");
        }
    }

    #[test]
    fn detects_by_script_and_words() {
        let code = |t: &str| detect(t).map(|l| l.code().to_owned());
        for (text, want) in [
            ("The minister arrived in Baghdad on Monday.", Some("en")),
            ("وصل الوزير إلى بغداد يوم الاثنين.", Some("ar")),
            (
                "وصل الوزير إلى NATO و EU في Brussels يوم الاثنين",
                Some("ar"),
            ),
            ("The word شكرا means thanks", Some("en")),
            (
                "وزیر کشور ایران روز دوشنبه به بغداد رفت و گفت که این کنفرانس مهم است",
                Some("fa"),
            ),
            ("وزیر داخلہ نے کہا ہے کہ یہ کانفرنس بہت اہم ہے", Some("ur")),
            (
                "O ministro chegou a Bagdá na segunda-feira e não falou com os jornalistas",
                Some("pt"),
            ),
            (
                "Le ministre est arrivé à Bagdad lundi dans la matinée",
                Some("fr"),
            ),
            (
                "El ministro llegó a Bagdad el lunes y no habló con los periodistas",
                Some("es"),
            ),
            (
                "Der Minister ist am Montag in Bagdad angekommen und hat nicht gesprochen",
                Some("de"),
            ),
            ("De Niro in Los Angeles", Some("en")),
            ("No, no, no, no, no.", Some("en")),
            ("أوباما", Some("ar")),
            ("12345 - 67 !", None),
            ("", None),
        ] {
            assert_eq!(code(text).as_deref(), want, "{text}");
        }
    }
}
