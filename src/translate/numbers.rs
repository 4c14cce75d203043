//! Numbers of a text, read alike in English, Arabic and Portuguese.
//!
//! Numbers in digits are what a translation must keep. Numbers in words (`five`, `خمسة ملايين`,
//! `July`, `التسعينيات`) are asked of nobody, but they excuse digits on the other side. Every
//! number has one or more readings (`5 million` is 5 and 5,000,000; `1.000` is 1 and 1,000), and
//! two numbers are equal when they share one.

mod scan;
mod words;

use super::spans::without_spans;
use scan::numbers;

/// How the numbers of a source and its target compare.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NumberDiff {
    /// A number of the source is not in the target, or not as often.
    pub lost: bool,
    /// A number of the target is not in the source, or not as often.
    pub added: bool,
}

/// The value of a decimal digit of English, Arabic or Persian writing, as an ASCII digit.
#[must_use]
pub fn ascii_digit(c: char) -> Option<char> {
    let value = match c {
        '0'..='9' => u32::from(c) - u32::from('0'),
        '٠'..='٩' => u32::from(c) - u32::from('٠'),
        '۰'..='۹' => u32::from(c) - u32::from('۰'),
        _ => return None,
    };
    char::from_digit(value, 10)
}

/// Compares the numbers of `source` and `target`, protected spans left out.
#[must_use]
pub fn compare(source: &str, target: &str) -> NumberDiff {
    let (source, target) = (
        numbers(&without_spans(source)),
        numbers(&without_spans(target)),
    );
    let missing = |from: &[Number], to: &[Number]| {
        from.iter()
            .any(|n| n.digits && times_in(n, to) < times_asked(n, from))
    };
    NumberDiff {
        lost: missing(&source, &target),
        added: missing(&target, &source),
    }
}

/// How many numbers in digits `source` has, and how many of them `target` keeps: (kept, all).
#[must_use]
pub fn kept(source: &str, target: &str) -> (usize, usize) {
    let (source, target) = (
        numbers(&without_spans(source)),
        numbers(&without_spans(target)),
    );
    let asked = || source.iter().filter(|n| n.digits);
    let kept = asked().filter(|n| times_in(n, &target) >= times_asked(n, &source));
    (kept.count(), asked().count())
}

/// How often a text writes this number; a score of 1-1 or a range asks for it once.
fn times_asked(number: &Number, text: &[Number]) -> usize {
    let same = |n: &&Number| n.digits && n.readings == number.readings;
    runs(text.iter().filter(same))
}

/// How often a number occurs, each digits or each run of words once.
fn times_in(number: &Number, text: &[Number]) -> usize {
    let equal = || text.iter().filter(|n| n.equals(number));
    equal().filter(|n| n.digits).count().max(runs(equal()))
}

fn runs<'a>(numbers: impl Iterator<Item = &'a Number>) -> usize {
    let mut runs: Vec<usize> = numbers.map(|n| n.run).collect();
    runs.dedup();
    runs.len()
}

/// One number with its readings.
#[derive(Clone, Debug, PartialEq)]
struct Number {
    readings: Vec<f64>,
    /// Written in digits.
    digits: bool,
    /// May be part of a longer number: no month, no Roman numeral.
    joins: bool,
    /// Numbers with nothing but `and`, a hyphen or the like between them are one run.
    run: usize,
}

impl Number {
    fn in_words(readings: Vec<f64>, joins: bool) -> Self {
        Self {
            readings,
            digits: false,
            joins,
            run: 0,
        }
    }

    fn in_digits(readings: Vec<f64>) -> Self {
        Self {
            readings,
            digits: true,
            joins: true,
            run: 0,
        }
    }

    fn equals(&self, other: &Self) -> bool {
        let near = |a: f64, b: f64| (a - b).abs() <= 1e-9 * a.abs().max(b.abs());
        self.readings
            .iter()
            .any(|a| other.readings.iter().any(|b| near(*a, *b)))
    }
}

#[cfg(test)]
mod tests;
