//! Splitting a sentence that is too long for a model.

use std::ops::Range;

/// Words before which a long sentence may be cut, where no punctuation serves.
const CONJUNCTIONS: &[&str] = &[
    "and",
    "but",
    "or",
    "which",
    "who",
    "that",
    "because",
    "while",
    "when",
    "where",
    "although",
    "so",
    "after",
    "before",
    "if",
    "as",
    "since",
    "و",
    "أو",
    "لكن",
    "ولكن",
    "التي",
    "الذي",
    "الذين",
    "لأن",
    "حيث",
    "بينما",
    "كما",
    "عندما",
    "بعد",
    "قبل",
    "إذا",
    "أن",
    "ثم",
];

/// Best kind of cut first; the last is one before a mark that belongs to the character before it.
const TIERS: usize = 7;

/// Splits `text` into ranges that fit, at the best clause boundaries: `؛ ;`, then `:` and dashes,
/// then commas, then before conjunctions, then at spaces, at last between characters, and within one
/// only where its marks have no end.
///
/// Gaps between ranges are white space; every range fits, unless a single code point does not.
#[must_use]
pub fn split_long(text: &str, fits: &dyn Fn(&str) -> bool) -> Vec<Range<usize>> {
    let mut out = Vec::new();
    let mut todo = vec![trimmed(text, 0..text.len())];
    while let Some(range) = todo.pop() {
        let piece = &text[range.clone()];
        if piece.is_empty() {
            continue;
        }
        match (!fits(piece)).then(|| best_cut(piece)).flatten() {
            None => out.push(range),
            Some(cut) => {
                let cut = range.start + cut;
                todo.push(trimmed(text, cut..range.end));
                todo.push(trimmed(text, range.start..cut));
            }
        }
    }
    out
}

fn trimmed(text: &str, range: Range<usize>) -> Range<usize> {
    let piece = &text[range.clone()];
    let start = range.start + (piece.len() - piece.trim_start().len());
    start..(start + piece.trim().len())
}

/// The cut nearest to the middle, of the best tier that has one away from the edges.
fn best_cut(piece: &str) -> Option<usize> {
    let len = piece.len();
    // Nearest to the middle, by tier.
    let mut best: [Option<usize>; TIERS] = [None; TIERS];
    let mut before: Option<char> = None;
    for (i, c) in piece.char_indices() {
        if let Some(previous) = before
            && let Some(tier) = tier(previous, c, &piece[i..])
        {
            let nearer = best[tier].is_none_or(|b| i.abs_diff(len / 2) < b.abs_diff(len / 2));
            if nearer {
                best[tier] = Some(i);
            }
        }
        before = Some(c);
    }
    let inside = |cut: &usize| (*cut * 5 >= len) && (*cut * 5 <= len * 4);
    let spaces = &best[..TIERS - 2];
    (spaces.iter().flatten().find(|c| inside(c)))
        .or_else(|| spaces.iter().flatten().min_by_key(|c| c.abs_diff(len / 2)))
        .or(best[TIERS - 2].as_ref())
        .or(best[TIERS - 1].as_ref())
        .copied()
}

/// How good a cut between `previous` and `c` is; `rest` starts with `c`.
fn tier(previous: char, c: char, rest: &str) -> Option<usize> {
    if !c.is_whitespace() {
        let mark = matches!(c, '\u{0300}'..='\u{036F}' | '\u{064B}'..='\u{065F}' | '\u{0670}'
            | '\u{200C}'..='\u{200F}' | '\u{FE00}'..='\u{FE0F}' | '\u{1F3FB}'..='\u{1F3FF}');
        let apart = !mark && previous != '\u{200D}';
        let tier = if apart { TIERS - 2 } else { TIERS - 1 };
        return (!previous.is_whitespace()).then_some(tier);
    }
    if previous.is_whitespace() {
        // One look at a gap is enough, however long it is.
        return None;
    }
    let next = rest.trim_start();
    match previous {
        '؛' | ';' | '.' | '!' | '?' | '؟' | '…' => return Some(0),
        ':' | '–' | '—' => return Some(1),
        '،' | ',' | ')' => return Some(2),
        _ => {}
    }
    if next.starts_with(['–', '—']) || next.starts_with("- ") {
        return Some(1);
    }
    let word = next.split(char::is_whitespace).next().unwrap_or_default();
    let conjunction = CONJUNCTIONS.contains(&word)
        // An Arabic word of some length that starts with `and`.
        || (word.starts_with('و') && word.chars().count() > 4);
    Some(if conjunction { 3 } else { 4 })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn pieces(text: &str, max: usize) -> Vec<&str> {
        split_long(text, &|p| p.chars().count() <= max)
            .into_iter()
            .map(|r| &text[r])
            .collect()
    }

    #[test]
    fn keeps_clauses_together() {
        assert_eq!(pieces("short", 10), ["short"]);
        assert_eq!(
            pieces("the first part is here; the second one, too, is there", 32),
            ["the first part is here;", "the second one, too, is there"]
        );
        assert_eq!(
            pieces(
                "قال الوزير إن المؤتمر مهم؛ وأضاف أن الدول ستشارك، كما وعدت",
                35
            ),
            [
                "قال الوزير إن المؤتمر مهم؛",
                "وأضاف أن الدول ستشارك، كما وعدت"
            ]
        );
        assert_eq!(
            pieces("it costs 1,000,000 or less", 20),
            ["it costs 1,000,000", "or less"]
        );
        assert_eq!(pieces("abcdefgh", 3).concat(), "abcdefgh");
        assert_eq!(pieces("ab\u{301}cd", 3), ["ab\u{301}", "cd"]);
    }

    #[test]
    fn fails_when_a_gap_or_marks_without_end_keep_a_piece_too_long() {
        let gap = format!("a{}b", " ".repeat(500_000));
        assert_eq!(pieces(&gap, 10), ["a", "b"]);
        let marks = format!("a{}", "\u{301}".repeat(1000));
        let cut = pieces(&marks, 10);
        assert!(cut.iter().all(|p| p.chars().count() <= 10));
        assert_eq!(cut.concat(), marks);
    }

    proptest! {
        #[test]
        fn loses_nothing_and_fits(text in "[a-cأب ,،;.\\n]{0,80}|\\PC{0,60}", max in 1usize..30) {
            let fits = |p: &str| p.chars().count() <= max;
            let ranges = split_long(&text, &fits);
            let mut end = 0;
            for r in &ranges {
                prop_assert!(text[end..r.start].trim().is_empty());
                prop_assert!(!text[r.clone()].trim().is_empty());
                end = r.end;
            }
            prop_assert!(text[end..].trim().is_empty());
            prop_assert!(ranges.iter().all(|r| fits(&text[r.clone()])));
        }
    }
}
