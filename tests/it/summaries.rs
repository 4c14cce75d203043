//! Extractive summaries against the first sentences of the article (LEAD-N), by ROUGE F1 against
//! abstractive references, on the half of the articles that the weights were not found on.
//!
//! Runs where `TARJAMA_SHARED` names a folder with `models/train/agency.jsonl`; run with
//! `--nocapture` to see the table.

use std::path::PathBuf;

use tarjama::article::BlockKind;
use tarjama::eval::rouge::rouge;
use tarjama::summarize::{Extractive, Sentence, Size, strip_dateline};
use tarjama::text::{Lang, terms};

const MEASURES: [&str; 3] = ["ROUGE-1", "ROUGE-2", "ROUGE-L"];
const RESAMPLES: usize = 1000;

/// One article in one language.
struct Case {
    sentences: Vec<String>,
    reference: String,
}

fn cases(lang: Lang) -> Option<Vec<Case>> {
    let folder = PathBuf::from(std::env::var_os("TARJAMA_SHARED")?);
    let path = folder.join("models/train/agency.jsonl");
    let text = std::fs::read_to_string(&path).expect("the corpus is readable");
    let articles = text
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).expect("a line is JSON"));
    let all = articles.filter_map(|article| {
        let reference = article[format!("summary_{lang}")].as_str()?.to_owned();
        let sentences = article["sentences"].as_array().expect("sentences").iter();
        let sentences = sentences
            .map(|s| s[lang.code()].as_str().expect("a text").to_owned())
            .collect();
        Some(Case {
            sentences,
            reference,
        })
    });
    Some(all.skip(1).step_by(2).collect())
}

fn f1(candidate: &str, reference: &str, lang: Lang) -> [f64; 3] {
    let got = rouge(candidate, reference, lang);
    [got.one.f1, got.two.f1, got.l.f1]
}

/// The chosen sentences as a reader gets them: the dateline is off, for LEAD-N as well.
fn join(case: &Case, chosen: &[usize], lang: Lang) -> String {
    let show = |&i: &usize| {
        let text = case.sentences[i].as_str();
        if i == 0 {
            strip_dateline(text, lang)
        } else {
            text
        }
    };
    chosen.iter().map(show).collect::<Vec<_>>().join(" ")
}

/// The first `n` words of the article.
fn cut(case: &Case, n: usize, lang: Lang) -> String {
    let all: Vec<usize> = (0..case.sentences.len()).collect();
    let mut words = terms::words(&join(case, &all, lang), lang);
    words.truncate(n);
    words.join(" ")
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// 95 % interval of the mean by percentile bootstrap.
fn interval(values: &[f64], random: &mut SplitMix) -> (f64, f64) {
    let mut means: Vec<f64> = (0..RESAMPLES)
        .map(|_| {
            let sum: f64 = (0..values.len())
                .map(|_| values[random.below(values.len())])
                .sum();
            sum / values.len() as f64
        })
        .collect();
    means.sort_by(f64::total_cmp);
    (means[RESAMPLES * 25 / 1000], means[RESAMPLES * 975 / 1000])
}

/// SplitMix64: the same numbers everywhere.
struct SplitMix(u64);

impl SplitMix {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) % n as u64) as usize
    }
}

#[test]
fn keeps_up_with_the_lead() {
    let mut random = SplitMix(9);
    for lang in [Lang::EN, Lang::AR] {
        let Some(cases) = cases(lang) else { return };
        assert!(cases.len() > 100);
        for n in 1..=3 {
            let (mut lead, mut ours, mut short) = (Vec::new(), Vec::new(), Vec::new());
            let (mut lead_words, mut our_words) = (0, 0);
            for case in &cases {
                let first: Vec<usize> = (0..n.min(case.sentences.len())).collect();
                let first = join(case, &first, lang);
                let sentences: Vec<Sentence<'_>> = case
                    .sentences
                    .iter()
                    .enumerate()
                    .map(|(block, text)| Sentence {
                        text,
                        block,
                        kind: BlockKind::Paragraph,
                    })
                    .collect();
                let chosen = Extractive::default().choose(&sentences, lang, Size::Sentences(n));
                let chosen = join(case, &chosen, lang);
                let words = terms::words(&chosen, lang).len();
                our_words += words;
                lead_words += terms::words(&first, lang).len();
                lead.push(f1(&first, &case.reference, lang));
                short.push(f1(&cut(case, words, lang), &case.reference, lang));
                ours.push(f1(&chosen, &case.reference, lang));
            }
            for (m, measure) in MEASURES.iter().enumerate() {
                let column = |rows: &[[f64; 3]]| rows.iter().map(|r| r[m]).collect::<Vec<_>>();
                let (lead, ours, short) = (column(&lead), column(&ours), column(&short));
                let minus = |b: &[f64]| ours.iter().zip(b).map(|(x, y)| x - y).collect::<Vec<_>>();
                let (gain, at_words) = (minus(&lead), minus(&short));
                let (low, high) = interval(&gain, &mut random);
                let (low_words, high_words) = interval(&at_words, &mut random);
                println!(
                    "{lang} N={n} {measure} LEAD {:.4} ours {:.4} gain {:+.4} [{low:+.4}, \
                     {high:+.4}]; words {:.1} ours {:.1}; against LEAD cut to as many words \
                     {:+.4} [{low_words:+.4}, {high_words:+.4}]",
                    mean(&lead),
                    mean(&ours),
                    mean(&gain),
                    lead_words as f64 / cases.len() as f64,
                    our_words as f64 / cases.len() as f64,
                    mean(&at_words),
                );
                assert!(
                    mean(&gain) > -1e-9,
                    "{lang} N={n} {measure}: below LEAD-{n}"
                );
            }
        }
    }
}
