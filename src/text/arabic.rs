//! Arabic for comparing words: one spelling for variants, light stems, stop words.
//!
//! Nothing here is for text that a reader sees: normalisation loses distinctions.

/// One spelling for what writers vary: harakat and tatweel go, alef forms become `ا`, `ى`
/// becomes `ي`, `ة` becomes `ه`, Arabic-Indic digits become ASCII.
#[must_use]
pub fn normalize(text: &str) -> String {
    text.chars().filter_map(normalize_char).collect()
}

fn normalize_char(c: char) -> Option<char> {
    match c {
        // Harakat, superscript alef, Quranic marks, tatweel, bidi marks.
        '\u{0610}'..='\u{061A}'
        | '\u{064B}'..='\u{065F}'
        | '\u{0670}'
        | '\u{06D6}'..='\u{06DC}'
        | '\u{0640}'
        | '\u{200C}'..='\u{200F}'
        | '\u{202A}'..='\u{202E}'
        | '\u{2066}'..='\u{2069}' => None,
        'أ' | 'إ' | 'آ' | 'ٱ' => Some('ا'),
        'ى' | 'ی' => Some('ي'),
        'ک' => Some('ك'),
        'ة' => Some('ه'),
        'ؤ' => Some('و'),
        'ئ' => Some('ي'),
        '٠'..='٩' => digit(c, '٠'),
        '۰'..='۹' => digit(c, '۰'),
        other => Some(other),
    }
}

fn digit(c: char, zero: char) -> Option<char> {
    char::from_digit(u32::from(c) - u32::from(zero), 10)
}

/// Prefixes of the article and of particles joined to it, longest first (normalised spelling).
const ARTICLES: [&str; 6] = ["وال", "بال", "كال", "فال", "ال", "لل"];

/// Inflectional endings, in the order in which they are tried (normalised spelling).
const ENDINGS: [&str; 8] = ["ها", "ان", "ات", "ون", "ين", "يه", "ه", "ي"];

/// A light stem of a normalised word: no root is sought, only what is joined to the word is taken
/// off (the article with its particles, a leading `و`, the commonest endings).
///
/// Source: light10 of Larkey, Ballesteros and Connell, "Light Stemming for Arabic Information
/// Retrieval" (2007).
#[must_use]
pub fn stem(word: &str) -> String {
    let mut rest = word;
    let len = |s: &str| s.chars().count();
    for article in ARTICLES {
        if let Some(cut) = rest.strip_prefix(article)
            && len(cut) >= 2
        {
            rest = cut;
            break;
        }
    }
    // After the article too, so that a word that begins with `و` has one stem with it and without.
    if let Some(cut) = rest.strip_prefix('و')
        && len(cut) >= 3
    {
        rest = cut;
    }
    for ending in ENDINGS {
        if let Some(cut) = rest.strip_suffix(ending)
            && len(cut) >= 3
        {
            rest = cut;
        }
    }
    rest.to_owned()
}

/// Words that say nothing of a text's matter (normalised spelling, sorted).
#[rustfmt::skip]
const STOP_WORDS: &[&str] = &[
    "اثر", "اذ", "اذا", "الا", "التي", "الذي", "الذين", "الي", "ام", "اما", "امام", "ان", "انه",
    "انها", "او", "اي", "ايضا", "اين", "بان", "بانه", "بعد", "بعض", "بل", "به", "بها", "بين",
    "بينما", "تحت", "تلك", "تم", "ثم", "جدا", "حتي", "حول", "حيث", "حين", "خلال", "دون", "ذلك",
    "سوف", "ضد", "ضمن", "عبر", "عدم", "علي", "عليه", "عليها", "عن", "عند", "عندما", "عنه", "غير",
    "فان", "فقد", "فوق", "في", "فيما", "فيه", "فيها", "قال", "قالت", "قبل", "قد", "كان", "كانت",
    "كل", "كلا", "كما", "كي", "لا", "لان", "لدي", "لقد", "لكن", "لكنه", "للتي", "لم", "لما", "لن",
    "له", "لها", "لهم", "ليس", "ليست", "ما", "مثل", "مع", "من", "منذ", "منه", "منها", "نحو",
    "هذا", "هذه", "هل", "هم", "هنا", "هناك", "هو", "هي", "واضاف", "واضافت", "وان", "وذلك", "وعلي",
    "وفي", "وقال", "وقالت", "وقد", "وكان", "وكانت", "ولا", "ولكن", "ولم", "وما", "ومن", "وهذا",
    "وهذه", "وهو", "وهي", "يتم", "يكون", "يوم",
];

/// Whether a normalised word is a function word or a mere verb of saying.
#[must_use]
pub fn is_stop_word(word: &str) -> bool {
    STOP_WORDS.binary_search(&word).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_one_spelling_for_variants() {
        assert_eq!(normalize("أُعلِنَتْ"), "اعلنت");
        assert_eq!(normalize("محمـــد إلى مدرسة ٢٠٢٤"), "محمد الي مدرسه 2024");
    }

    #[test]
    fn keeps_inflected_words_together() {
        for (a, b) in [
            ("والمحافظة", "محافظات"),
            ("الوزراء", "وزراء"),
            ("الشرطة", "شرطة"),
        ] {
            assert_eq!(stem(&normalize(a)), stem(&normalize(b)), "{a} {b}");
        }
        assert_eq!(stem("علي"), "علي");
    }

    #[test]
    fn keeps_the_stop_words_findable() {
        assert!(STOP_WORDS.is_sorted());
        assert!(is_stop_word(&normalize("إلى")));
        assert!(!is_stop_word("شرطه"));
    }
}
