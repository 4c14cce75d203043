use super::*;
use proptest::prelude::*;

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
