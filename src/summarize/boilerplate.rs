//! What agencies write around the news: datelines, credits, links to other articles.

use crate::text::{Lang, arabic};

/// Openings of lines that are no news (lower-case; Arabic in one spelling).
const OPENINGS: &[&str] = &[
    "also read",
    "click here",
    "copyright (c)",
    "copyright ©",
    "editing by",
    "follow us",
    "for more details",
    "for more information",
    "for more news",
    "for more on",
    "photo:",
    "read also",
    "read more",
    "related:",
    "reporting by",
    "see also",
    "share this",
    "source:",
    "subscribe",
    "watch also",
    "©",
    "اشترك الان",
    "اشترك في النشره",
    "اشتركوا",
    "اقرا ايضا",
    "اقرا المزيد",
    "اقراوا ايضا",
    "المصدر:",
    "المصدر :",
    "تابعنا",
    "تابعونا",
    "تحرير:",
    "حقوق النشر",
    "شارك الخبر",
    "شارك المقال",
    "شارك هذا",
    "شاهد ايضا",
    "طالع ايضا",
    "لمتابعه اخر",
    "لمتابعه المزيد",
    "للمزيد",
];

/// What makes a line boilerplate wherever it stands in it.
const ANYWHERE: &[&str] = &["all rights reserved", "جميع الحقوق محفوظه"];

/// Fewest words of a sentence that can carry news; less is a credit or an agency's name.
const MIN_WORDS: usize = 4;

/// Whether a sentence is no content: a credit, a copyright line, a link to other articles, the
/// agency's name alone.
#[must_use]
pub fn is_boilerplate(text: &str) -> bool {
    let folded = arabic::normalize(text).to_lowercase();
    let folded = folded.trim_start_matches(|c: char| !c.is_alphanumeric() && c != '©');
    let year = folded
        .strip_prefix("copyright ")
        .is_some_and(|r| r.starts_with(char::is_numeric));
    year || OPENINGS
        .iter()
        .any(|opening| starts_with_word(folded, opening))
        || ANYWHERE.iter().any(|phrase| folded.contains(phrase))
        || folded
            .split_whitespace()
            .filter(|w| w.chars().any(char::is_alphanumeric))
            .count()
            < MIN_WORDS
}

fn starts_with_word(text: &str, opening: &str) -> bool {
    text.strip_prefix(opening).is_some_and(|rest| {
        !opening.ends_with(char::is_alphanumeric) || !rest.starts_with(char::is_alphanumeric)
    })
}

/// Most words of a dateline.
const DATELINE_WORDS: usize = 7;

/// The text after a dateline (`BASRA (Agencies) - `, `بغداد/ `), or the text as it is.
#[must_use]
pub fn strip_dateline(text: &str, lang: Lang) -> &str {
    let (mark, rest) = after_dateline(text, lang);
    // `Baghdad/ Agency Name - `: the place, then who reports.
    if mark == Some("/") {
        after_dateline(rest, lang).1
    } else {
        rest
    }
}

/// The mark that ends the dateline and what follows it.
fn after_dateline(text: &str, lang: Lang) -> (Option<&str>, &str) {
    for (at, mark) in text.match_indices(['-', '–', '—', '/', ':']) {
        let (head, tail) = (&text[..at], &text[at + mark.len()..]);
        if head.split_whitespace().count() > DATELINE_WORDS {
            break;
        }
        // A dash inside a word or number is none.
        let spaced = tail.starts_with(char::is_whitespace)
            && (mark == "/" || mark == ":" || head.ends_with(char::is_whitespace));
        let tail = tail.trim_start();
        let goes_on = tail.split_whitespace().nth(2).is_some();
        if spaced && goes_on && is_dateline(head.trim(), mark, tail, lang) {
            return (Some(mark), tail);
        }
    }
    (None, text)
}

fn is_dateline(head: &str, mark: &str, tail: &str, lang: Lang) -> bool {
    const QUOTES: [char; 3] = ['"', '«', '“'];
    let mut words = head
        .split_whitespace()
        .filter(|w| w.chars().any(char::is_alphabetic));
    let closed = head.ends_with(')');
    if head.contains(QUOTES) || words.clone().next().is_none() {
        return false;
    }
    if mark == ":" {
        // A speaker and what he says look the same but for an age or a quotation mark.
        let speech = tail.starts_with(QUOTES) || head.chars().any(char::is_numeric);
        if speech || !closed && (lang == Lang::AR || head.chars().any(char::is_lowercase)) {
            return false;
        }
    }
    if lang == Lang::AR {
        return closed || words.count() <= 3;
    }
    let mut bracket = false;
    words.all(|word| {
        bracket |= word.starts_with('(');
        let inside = bracket;
        bracket &= !word.contains(')');
        let small = ["of", "the", "and", "al", "el", "date"].contains(&word);
        let first = word
            .trim_start_matches("al-")
            .chars()
            .find(|c| c.is_alphabetic());
        inside || small || first.is_some_and(|c| !c.is_lowercase())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_boilerplate_out() {
        for text in [
            "Read also: Ministers meet in Muscat for the third time",
            "© 2024 Agency. Every word is ours.",
            "Copyright 2024 by the national news agency.",
            "اقرأ أيضاً: الوزراء يجتمعون في مسقط للمرة الثالثة",
            "الوكالة الوطنية",
            "هذا النص كله جميع الحقوق محفوظة",
        ] {
            assert!(is_boilerplate(text), "{text}");
        }
    }

    #[test]
    fn keeps_news_in() {
        for text in [
            "Sourcewater companies reported a loss of 3 million dollars.",
            "For more than a month gunmen have blocked the terminal.",
            "Copyright law was changed by parliament.",
            "شارك أربعة عشر فريقا وطنيا في التمرين",
            "Copyrighted works were seized by police.",
            "وأضافت الوكالة أن شرطة البصرة ضبطت المواد",
        ] {
            assert!(!is_boilerplate(text), "{text}");
        }
    }

    #[test]
    fn keeps_the_sentence_after_a_dateline() {
        for (text, lang, want) in [
            (
                "BASRA (Agencies) - Police seized the pills.",
                Lang::EN,
                "Police seized the pills.",
            ),
            (
                "Muscat - The ministers met again.",
                Lang::EN,
                "The ministers met again.",
            ),
            (
                "Shafaq News/ Police seized pills.",
                Lang::EN,
                "Police seized pills.",
            ),
            (
                "The second-largest city - Basra - is dry.",
                Lang::EN,
                "The second-largest city - Basra - is dry.",
            ),
            (
                " date 2024-07-22 Shafaq News/ On Monday, ministers met.",
                Lang::EN,
                "On Monday, ministers met.",
            ),
            (
                "Baghdad/ Rafidain Today - The House of Representatives met.",
                Lang::EN,
                "The House of Representatives met.",
            ),
            (
                "وقال مليح (71 عاما): هذا كلام طويل",
                Lang::AR,
                "وقال مليح (71 عاما): هذا كلام طويل",
            ),
            (
                "The minister said: we go on now.",
                Lang::EN,
                "The minister said: we go on now.",
            ),
            (
                "البصرة (وكالات) - أعلنت شرطة البصرة ضبط",
                Lang::AR,
                "أعلنت شرطة البصرة ضبط",
            ),
            ("شفق نيوز/ أعلنت شرطة البصرة", Lang::AR, "أعلنت شرطة البصرة"),
            (
                "وقال الوزير: نحن ماضون في ذلك",
                Lang::AR,
                "وقال الوزير: نحن ماضون في ذلك",
            ),
        ] {
            assert_eq!(strip_dateline(text, lang), want);
        }
    }
}
