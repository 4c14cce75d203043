//! Byte-pair merges as sentencepiece makes them: the best-scored pair of neighbours first, of equal
//! ones the leftmost.
//!
//! Source: google/sentencepiece `src/bpe_model.cc`, `SampleEncode`.

use std::collections::BinaryHeap;

/// A pair of neighbours that is a piece.
struct Pair {
    score: f32,
    left: usize,
    /// Where the pair ends, so that stale ones are known.
    end: usize,
}

impl Ord for Pair {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.score
            .total_cmp(&other.score)
            .then(other.left.cmp(&self.left))
            .then(other.end.cmp(&self.end))
    }
}

impl PartialOrd for Pair {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Pair {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Pair {}

/// Ends of the symbols that `text` is merged into. `whole(rest)` is the length of a piece at the
/// start of `rest` that is never taken apart nor merged; `score` that of a piece.
pub(super) fn merge(
    text: &str,
    whole: impl Fn(&str) -> Option<usize>,
    score: impl Fn(&str) -> Option<f32>,
) -> Vec<usize> {
    // Symbol at byte `i`: its end, and the start of the one before; by their starts.
    let mut end = vec![0usize; text.len()];
    let mut before = vec![usize::MAX; text.len() + 1];
    let mut frozen = vec![false; text.len()];
    let mut at = 0;
    let mut previous = usize::MAX;
    while let Some(character) = text[at..].chars().next() {
        let fixed = whole(&text[at..]);
        end[at] = at + fixed.unwrap_or(character.len_utf8());
        frozen[at] = fixed.is_some();
        before[at] = previous;
        previous = at;
        at = end[at];
    }
    before[text.len()] = previous;
    let mut heap = BinaryHeap::new();
    let offer = |heap: &mut BinaryHeap<Pair>, end: &[usize], left: usize| {
        let right = end[left];
        if right < text.len()
            && !frozen[left]
            && !frozen[right]
            && let Some(score) = score(&text[left..end[right]])
        {
            let end = end[right];
            heap.push(Pair { score, left, end });
        }
    };
    let mut left = 0;
    while left < text.len() {
        offer(&mut heap, &end, left);
        left = end[left];
    }
    // A start whose symbol was swallowed by the one before it.
    let mut gone = vec![false; text.len()];
    while let Some(pair) = heap.pop() {
        let left = pair.left;
        if gone[left] {
            continue;
        }
        let right = end[left];
        if right >= text.len() || end[right] != pair.end {
            continue;
        }
        end[left] = pair.end;
        gone[right] = true;
        before[pair.end] = left;
        offer(&mut heap, &end, left);
        if before[left] != usize::MAX {
            offer(&mut heap, &end, before[left]);
        }
    }
    let mut ends = Vec::new();
    let mut at = 0;
    while at < text.len() {
        at = end[at];
        ends.push(at);
    }
    ends
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces<'t>(text: &'t str, scores: &[(&str, f32)]) -> Vec<&'t str> {
        let score = |p: &str| scores.iter().find(|(s, _)| *s == p).map(|s| s.1);
        let whole = |rest: &str| rest.starts_with("<b>").then_some(3);
        let mut start = 0;
        merge(text, whole, score)
            .into_iter()
            .map(|end| {
                let piece = &text[start..end];
                start = end;
                piece
            })
            .collect()
    }

    #[test]
    fn the_best_pair_goes_first_and_of_equal_ones_the_left() {
        let scores = [("ab", -1.0), ("bc", 0.0), ("aa", -1.0)];
        assert_eq!(pieces("abc", &scores), ["a", "bc"]);
        assert_eq!(pieces("aaa", &scores), ["aa", "a"]);
        let scores = [("ab", -1.0), ("abc", -2.0), ("سل", -1.0)];
        assert_eq!(pieces("abcسل😀", &scores), ["abc", "سل", "😀"]);
    }

    #[test]
    fn keeps_whole_what_the_user_defined() {
        let scores = [("b>", 0.0), (">a", 0.0), ("<b", 0.0)];
        assert_eq!(pieces("<b>a<b", &scores), ["<b>", "a", "<b"]);
    }
}
