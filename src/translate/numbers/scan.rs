//! A text to its numbers: digits with their separators, and runs of number words.

use super::words::{is_scale, word_number};
use super::{Number, ascii_digit};

/// The numbers of `text` in order.
pub(super) fn numbers(text: &str) -> Vec<Number> {
    let text = normalise(text);
    let mut scan = Scan::default();
    let mut rest = text.as_str();
    let mut before = ' ';
    while let Some(c) = rest.chars().next() {
        let len = if c.is_ascii_digit() {
            let len = digits_len(rest);
            scan.digits(&rest[..len], &rest[len..], before);
            len
        } else if c.is_alphabetic() {
            let len = rest
                .find(|c: char| !c.is_alphabetic())
                .unwrap_or(rest.len());
            scan.word(&rest[..len]);
            len
        } else {
            if !(c.is_whitespace() || "-$€£".contains(c)) {
                scan.close();
            }
            c.len_utf8()
        };
        before = rest[..len].chars().next_back().unwrap_or(' ');
        rest = &rest[len..];
    }
    scan.close();
    scan.out
}

#[derive(Default)]
struct Scan {
    out: Vec<Number>,
    /// Neighbouring numbers that may be parts of one.
    run: Vec<Number>,
    runs: usize,
    /// The last word was "in": what follows it as "the hundred" is per cent.
    after_in: bool,
}

impl Scan {
    fn word(&mut self, word: &str) {
        let per_cent = std::mem::replace(&mut self.after_in, word == "في")
            && matches!(word, "المئه" | "المائه" | "المايه");
        match word_number(word).filter(|_| !per_cent) {
            Some(number) if number.joins => self.run.push(number),
            Some(number) => {
                self.close();
                self.run.push(number);
                self.close();
            }
            // Five and a half; 5 to 6 million.
            None if matches!(
                word,
                "and" | "a" | "to" | "or" | "e" | "ou" | "و" | "الي" | "او"
            ) => {}
            None => self.close(),
        }
    }

    /// Takes digits; `after` is the text behind them, `before` the character in front.
    fn digits(&mut self, text: &str, after: &str, before: char) {
        let parts = digits(text, after);
        let season = match (self.run.last().or(self.out.last()), &parts[..]) {
            (Some(last), [part]) if matches!(before, '-' | '/') && text.len() == 2 => {
                // 2024-25
                let (year, end) = (last.readings[0], part.readings[0]);
                let next = last.digits && (year + 1.0) % 100.0 == end;
                (next && (1900.0..2100.0).contains(&year)).then_some(year + 1.0)
            }
            _ => None,
        };
        for mut part in parts {
            part.readings.extend(season);
            // The minutes of 17:00 are not said in words.
            part.digits &= !(before == ':' && text == "00");
            // km2
            part.digits &= !(text == "2" && before == 'm');
            self.run.push(part);
        }
    }

    /// Ends a run of neighbouring numbers: its parts also read as the whole.
    fn close(&mut self) {
        let run = &mut self.run;
        if run.len() > 1 && run.iter().any(|n| !n.digits) {
            let values: Vec<f64> = run.iter().map(|n| n.readings[0]).collect();
            let whole = fold(&values);
            let scale_at = |at: usize| values.get(at).copied().filter(|s| is_scale(*s));
            for (at, number) in run.iter_mut().enumerate() {
                if let Some(scale) = scale_at(at + 1) {
                    // 5 million is no 5; 500 hundred thousand takes both.
                    let factor = scale * scale_at(at + 2).unwrap_or(1.0);
                    number.readings.iter_mut().for_each(|r| *r *= factor);
                } else if let Some(scale) = scale_at(at + 2) {
                    // 5 to 6 million
                    number.readings.push(number.readings[0] * scale);
                }
            }
            for number in run.iter_mut() {
                number.readings.push(whole);
            }
            // nineteen ninety-nine
            let low = fold(&values[1..]);
            if (10.0..100.0).contains(&values[0]) && low < 100.0 {
                run[0].readings.push(values[0] * 100.0 + low);
            }
        }
        for number in run.iter_mut() {
            number.run = self.runs;
        }
        self.runs += 1;
        self.out.append(run);
    }
}

/// The value of number words in order: `two million five hundred thousand`.
fn fold(values: &[f64]) -> f64 {
    let (mut total, mut current) = (0.0, 0.0);
    for (at, &value) in values.iter().enumerate() {
        let scaled = values.get(at + 1).is_some_and(|next| is_scale(*next));
        if value >= 1e3 && !is_scale(value) && !scaled {
            total += value;
        } else if value >= 1e3 && is_scale(value) {
            total += if current == 0.0 {
                value
            } else {
                current * value
            };
            current = 0.0;
        } else if value == 100.0 && current > 0.0 && current < 10.0 {
            current *= 100.0;
        } else if value < 1.0 && current == 0.0 && !scaled && at > 0 {
            // مليونان ونصف
            let unit = values[at - 1];
            total += value * 10_f64.powi((unit.log10() / 3.0).floor() as i32 * 3);
        } else {
            current += value;
        }
    }
    total + current
}

/// ASCII digits and separators, no vowel marks, one form for the letters that are often confused.
fn normalise(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let c = match c {
            '\u{64b}'..='\u{652}' | '\u{640}' | '\u{200e}' | '\u{200f}' | '\u{200d}' => continue,
            'أ' | 'إ' | 'آ' => 'ا',
            'ى' => 'ي',
            'ة' => 'ه',
            '٫' => '.',
            '٬' => ',',
            '،' if out.ends_with(|c: char| c.is_ascii_digit())
                && chars.peek().is_some_and(|c| ascii_digit(*c).is_some()) =>
            {
                ','
            }
            '–' | '—' | '‑' | '−' => '-',
            c => ascii_digit(c).unwrap_or(c),
        };
        out.push(c);
    }
    out
}

/// Length of a number in digits with its separators.
fn digits_len(text: &str) -> usize {
    let bytes = text.as_bytes();
    let run = |from: usize| {
        bytes[from..]
            .iter()
            .take_while(|b| b.is_ascii_digit())
            .count()
    };
    let mut len = run(0);
    loop {
        let after = text[len..].chars().next();
        let gap = match after {
            Some(c @ ('.' | ',' | '\'' | '\u{a0}' | '\u{202f}' | '\u{2009}')) => c.len_utf8(),
            Some(' ') if text[len + 1..].starts_with("000") => 1,
            _ => return len,
        };
        let more = run(len + gap);
        let grouped = !matches!(after, Some('.' | ','));
        if more == 0 || (grouped && more != 3) {
            return len;
        }
        len += gap + more;
    }
}

/// The number that digits write, or those of a date with stops.
fn digits(text: &str, after: &str) -> Vec<Number> {
    let trimmed = after.trim_start().to_ascii_lowercase();
    if text.len() == 4 && (trimmed.starts_with("gmt") || trimmed.starts_with("بتوقيت")) {
        // 1230 GMT; the minutes of a full hour are not said.
        let (hour, minutes) = text.split_at(2);
        let part = |p: &str| Number::in_digits(vec![p.parse().unwrap_or(0.0)]);
        let shown = (minutes != "00").then(|| part(minutes));
        return [part(hour)].into_iter().chain(shown).collect();
    }
    // A whole word: 2.5 ambulances are no time of day.
    let says = |words: &[&str]| {
        words.iter().any(|word| {
            let rest = trimmed.strip_prefix(word);
            rest.is_some_and(|rest| !word.is_ascii() || !rest.starts_with(char::is_alphabetic))
        })
    };
    let afternoon = says(&["pm", "p.m", "مساء"]);
    let timed = afternoon || says(&["am", "a.m", "صباحا"]);
    let dated = readings(text).filter(|_| !(timed && text.contains('.')));
    let Some(mut readings) = dated else {
        // 22.7.2024, 5.30pm
        let parts = text.split(|c: char| !c.is_ascii_digit());
        return parts
            .map(|p| Number::in_digits(vec![p.parse().unwrap_or(0.0)]))
            .collect();
    };
    let suffix: String = after
        .trim_start_matches(['\'', '’'])
        .chars()
        .take_while(|c| c.is_alphabetic())
        .flat_map(char::to_lowercase)
        .collect();
    let first = readings[0];
    let scale = match suffix.as_str() {
        "k" => Some(1e3),
        "m" | "mn" | "mln" => Some(1e6),
        "b" | "bn" => Some(1e9),
        "t" | "tn" | "trn" => Some(1e12),
        _ => None,
    };
    if let Some(scale) = scale {
        readings.push(first * scale);
    }
    if suffix == "s" && first % 10.0 == 0.0 {
        readings.push(first % 100.0);
    }
    // The afternoon on a clock of 12 or 24 hours.
    let clock = after.starts_with(':') || afternoon;
    if clock && first < 24.0 && first.fract() == 0.0 {
        readings.push((first + 12.0) % 24.0);
    }
    vec![Number::in_digits(readings)]
}

/// What a number with separators may mean, the likeliest first; `None` for a date.
fn readings(text: &str) -> Option<Vec<f64>> {
    let parts: Vec<&str> = text.split(|c: char| !c.is_ascii_digit()).collect();
    let separators: Vec<char> = text.chars().filter(|c| !c.is_ascii_digit()).collect();
    let value = |whole: &[&str], fraction: &str| -> f64 {
        format!("{}.{fraction}", whole.concat())
            .parse()
            .unwrap_or(0.0)
    };
    let (last, whole) = parts.split_last()?;
    if separators.is_empty() {
        return Some(vec![value(&parts, "0")]);
    }
    let in_threes = whole[0].len() <= 3 && parts[1..].iter().all(|p| p.len() == 3);
    let same = separators.iter().all(|c| *c == separators[0]);
    let grouped = value(&parts, "0");
    let decimal = value(whole, last);
    Some(match (in_threes && same, separators.len(), separators[0]) {
        (true, 1, '.') => vec![decimal, grouped],
        (true, 1, ',') => vec![grouped, decimal],
        (true, ..) => vec![grouped],
        // 1,234.5 has one decimal mark; 12.5.2024 is a date.
        (false, n, _) if n == 1 || !same => vec![decimal],
        (false, ..) => return None,
    })
}
