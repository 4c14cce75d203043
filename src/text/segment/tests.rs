use super::*;
use proptest::prelude::*;

mod cases;

/// In a case ` | ` stands for a boundary at a space, `|` without spaces for one without.
fn check(lang: Lang, cases: &[&str]) {
    let mut wrong = String::new();
    for case in cases {
        let wanted: Vec<&str> = case.split('|').map(str::trim).collect();
        let text = case.replace(" | ", " ").replace('|', "");
        let found: Vec<&str> = segments(&text, lang)
            .into_iter()
            .map(|r| &text[r])
            .collect();
        if found != wanted {
            wrong += &format!("wanted {wanted:?}\nfound  {found:?}\n");
        }
    }
    assert!(wrong.is_empty(), "{lang}:\n{wrong}");
}

#[test]
fn keeps_english_sentences_whole() {
    check(Lang::EN, cases::ENGLISH);
}

#[test]
fn keeps_arabic_sentences_whole() {
    check(Lang::AR, cases::ARABIC);
}

#[test]
fn keeps_sentences_of_other_languages_whole() {
    check(Lang::PT, &["O Sr. Silva chegou. | A Dra. Ana não falou."]);
    check(Lang::PT, &["O exmo. Ministro falou. | Saiu às 5h."]);
    let german = Lang::parse("de").unwrap();
    check(german, &["Am 3. Oktober kam er. | Er blieb bzw. Sie ging."]);
}

#[test]
fn ends_sentences_at_blank_lines_but_not_at_line_breaks() {
    let text = "A title\n\nThe text goes\non here. It ends\r\n\r\n  \r\nhere";
    let found: Vec<&str> = segments(text, Lang::EN)
        .into_iter()
        .map(|r| &text[r])
        .collect();
    assert_eq!(
        found,
        ["A title", "The text goes\non here.", "It ends", "here"]
    );
}

#[test]
fn finds_nothing_in_white_space() {
    assert!(segments("", Lang::EN).is_empty());
    assert!(segments(" \n\t\u{a0}\n\n", Lang::AR).is_empty());
}

proptest! {
    #[test]
    fn loses_nothing(text in "([A-Za-zأ-ي0-9٠-٩.!?؟،؛\"'«»()\\[\\] \\n…-]{0,60}|\\PC{0,60})") {
        for lang in [Lang::EN, Lang::AR] {
            let mut end = 0;
            for range in segments(&text, lang) {
                prop_assert!(text[end..range.start].trim().is_empty());
                let piece = &text[range.clone()];
                prop_assert!(!piece.is_empty() && piece.trim() == piece);
                end = range.end;
            }
            prop_assert!(text[end..].trim().is_empty());
        }
    }
}
