//! English for comparing words: light stems and stop words, over lower-cased words.

/// Words that say nothing of a text's matter (lower-case, sorted).
#[rustfmt::skip]
const STOP_WORDS: &[&str] = &[
    "a", "about", "above", "according", "added", "after", "again", "against", "all", "also", "am",
    "among", "an", "and", "any", "are", "as", "at", "be", "because", "been", "before", "being",
    "between", "both", "but", "by", "can", "could", "d", "did", "do", "does", "doing", "during",
    "each", "either", "for", "from", "further", "had", "has", "have", "having", "he", "her",
    "here", "hers", "him", "his", "how", "however", "i", "if", "in", "into", "is", "it", "its",
    "itself", "just", "ll", "m", "may", "me", "might", "more", "most", "must", "my", "no", "nor",
    "not", "now", "of", "off", "on", "once", "only", "or", "other", "our", "out", "over", "own",
    "per", "re", "s", "said", "same", "say", "says", "shall", "she", "should", "since", "so",
    "some", "such", "t", "than", "that", "the", "their", "them", "then", "there", "these", "they",
    "this", "those", "through", "to", "told", "too", "under", "until", "up", "upon", "us", "ve",
    "very", "was", "we", "were", "what", "when", "where", "which", "while", "who", "whom",
    "whose", "why", "will", "with", "would", "you", "your",
];

/// Whether a lower-cased word is a function word or a mere verb of saying.
#[must_use]
pub fn is_stop_word(word: &str) -> bool {
    STOP_WORDS.binary_search(&word).is_ok()
}

/// A light stem of a lower-cased word: plural, `-ed`, `-ing` and a silent `e` come off.
#[must_use]
pub fn stem(word: &str) -> String {
    if !word.is_ascii() || word.len() < 4 || word.bytes().any(|b| b.is_ascii_digit()) {
        return word.to_owned();
    }
    let singular = plural_off(word);
    let base = ["ing", "ed"]
        .iter()
        .find_map(|ending| {
            let cut = singular.strip_suffix(ending)?;
            (cut.len() >= 3 && cut.contains(['a', 'e', 'i', 'o', 'u', 'y'])).then(|| undouble(cut))
        })
        .unwrap_or(&singular);
    let base = if base.len() > 3 {
        base.strip_suffix('e').unwrap_or(base)
    } else {
        base
    };
    match base.strip_suffix('y') {
        Some(cut) if cut.len() >= 3 => format!("{cut}i"),
        _ => base.to_owned(),
    }
}

fn plural_off(word: &str) -> String {
    if let Some(cut) = word.strip_suffix("ies") {
        return format!("{cut}y");
    }
    if let Some(cut) = word.strip_suffix("sses") {
        return format!("{cut}ss");
    }
    match word.strip_suffix('s') {
        Some(cut) if !cut.ends_with(['s', 'u', 'i']) => cut.to_owned(),
        _ => word.to_owned(),
    }
}

fn undouble(word: &str) -> &str {
    let bytes = word.as_bytes();
    match bytes {
        [.., a, b] if a == b && !matches!(b, b'l' | b's' | b'z' | b'e' | b'o') => {
            &word[..word.len() - 1]
        }
        _ => word,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_inflected_words_together() {
        for (a, b) in [
            ("ministers", "minister"),
            ("planned", "plan"),
            ("agencies", "agency"),
            ("seized", "seize"),
            ("passes", "passed"),
        ] {
            assert_eq!(stem(a), stem(b), "{a} {b}");
        }
    }

    #[test]
    fn keeps_short_words_and_numbers_whole() {
        for word in ["gas", "bus", "1990s", "red", "القاعدة"] {
            assert_eq!(stem(word), word);
        }
    }

    #[test]
    fn keeps_the_stop_words_findable() {
        assert!(STOP_WORDS.is_sorted());
        assert!(is_stop_word("the"));
    }
}
