//! Sentence boundaries on human-made sentence-per-line files.
//!
//! Lines are joined five to a paragraph. A line without a sentence mark at its end is a headline,
//! which no text runs into the next sentence: it ends its paragraph. Some lines hold several
//! sentences; a boundary that a plain word, a stop and a capital (or an Arabic letter) make plain
//! inside of a line is therefore not judged. The strict figure, which judges it, is printed too.

use std::collections::BTreeSet;
use std::path::Path;

use tarjama::text::{Lang, segments};

struct Score {
    hits: usize,
    found: usize,
    wanted: usize,
    unjudged: usize,
}

impl Score {
    fn f1(&self) -> f64 {
        2.0 * self.hits as f64 / (self.found + self.wanted) as f64
    }

    fn strict_f1(&self) -> f64 {
        2.0 * self.hits as f64 / (self.found + self.unjudged + self.wanted) as f64
    }
}

fn ends_in_a_stop(line: &str) -> bool {
    line.trim_end_matches(['"', '”', '»', ')', ']', '\'', '’', '“', '*', ' '])
        .ends_with(['.', '!', '?', '؟', '…', '۔'])
}

fn paragraphs(text: &str) -> Vec<Vec<&str>> {
    let mut out = vec![Vec::new()];
    for line in text.lines().map(str::trim).filter(|l| !l.is_empty()) {
        if let Some(last) = out.last_mut() {
            last.push(line);
            if last.len() == 5 || !ends_in_a_stop(line) {
                out.push(Vec::new());
            }
        }
    }
    out
}

/// A plain word, a stop, white space, and a capital or an Arabic letter: the end of a sentence
/// whatever the line breaks say.
fn is_plain_end(text: &str, end: usize) -> bool {
    let head = text[..end].trim_end_matches(['"', '”', '»', ')']);
    let Some(head) = head.strip_suffix(['.', '!', '?', '؟']) else {
        return false;
    };
    let word: String = head
        .chars()
        .rev()
        .take_while(|c| c.is_alphanumeric())
        .collect();
    let letters = word.chars().count();
    let lower = word.chars().all(char::is_lowercase);
    let arabic = word.chars().all(|c| c > '\u{600}');
    let next = text[end..]
        .trim_start_matches(['"', '“', '«', '(', ' '])
        .chars()
        .next();
    (letters >= 5 || letters >= 3 && (lower || arabic))
        && next.is_some_and(|c| c.is_uppercase() || c > '\u{600}')
}

fn score(text: &str, lang: Lang) -> Score {
    let mut score = Score {
        hits: 0,
        found: 0,
        wanted: 0,
        unjudged: 0,
    };
    for lines in paragraphs(text) {
        let joined = lines.join(" ");
        let mut wanted = BTreeSet::new();
        let mut end = 0;
        for line in &lines {
            end += line.len();
            if end < joined.len() {
                wanted.insert(end);
            }
            end += 1;
        }
        let all: BTreeSet<usize> = segments(&joined, lang)
            .iter()
            .map(|r| r.end)
            .filter(|&e| e < joined.len())
            .collect();
        let (unjudged, found): (BTreeSet<usize>, BTreeSet<usize>) = all
            .iter()
            .partition(|&&e| !wanted.contains(&e) && is_plain_end(&joined, e));
        score.unjudged += unjudged.len();
        for miss in wanted.symmetric_difference(&found) {
            let near = |i: usize| {
                let from = joined[..i]
                    .char_indices()
                    .rev()
                    .nth(30)
                    .map_or(0, |(j, _)| j);
                let to = joined[i..]
                    .char_indices()
                    .nth(30)
                    .map_or(joined.len(), |(j, _)| i + j);
                format!("{} ⏐{}", &joined[from..i], &joined[i..to])
            };
            let kind = if wanted.contains(miss) {
                "missed"
            } else {
                "extra "
            };
            println!("{lang} {kind} {}", near(*miss));
        }
        score.hits += wanted.intersection(&found).count();
        score.found += found.len();
        score.wanted += wanted.len();
    }
    score
}

#[test]
fn finds_the_sentences_of_translators() {
    let Some(shared) = std::env::var_os("TARJAMA_SHARED") else {
        println!("skipped: TARJAMA_SHARED does not name the shared folder");
        return;
    };
    let mut low = Vec::new();
    for name in ["ntrex/newstest2019", "flores/dev"] {
        for lang in [Lang::EN, Lang::AR] {
            let path = Path::new(&shared)
                .join("eval")
                .join(format!("{name}.{lang}"));
            let text = std::fs::read_to_string(&path).expect("an eval file");
            let score = score(&text, lang);
            println!(
                "{name}.{lang}: F1 {:.4} (strict {:.4}), {} of {} found, {} given",
                score.f1(),
                score.strict_f1(),
                score.hits,
                score.wanted,
                score.found
            );
            if score.f1() < 0.99 {
                low.push(format!("{name}.{lang}"));
            }
        }
    }
    assert!(low.is_empty(), "F1 below 0.99: {low:?}");
}
