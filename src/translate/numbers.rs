//! Numbers of a text, read alike in English and Arabic.
//!
//! Numbers in digits are what a translation must keep. Numbers in words (`five`, `خمسة ملايين`,
//! `July`, `التسعينيات`) are asked of nobody, but they excuse digits on the other side. Every
//! number has one or more readings (`5 million` is 5 and 5,000,000; `1.000` is 1 and 1,000), and
//! two numbers are equal when they share one.

use super::spans::without_spans;

/// How the numbers of a source and its target compare.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NumberDiff {
    /// A number of the source is not in the target.
    pub lost: bool,
    /// A number of the target is not in the source.
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
            .any(|n| n.digits && !to.iter().any(|m| n.equals(m)))
    };
    NumberDiff {
        lost: missing(&source, &target),
        added: missing(&target, &source),
    }
}

/// One number with its readings.
#[derive(Clone, Debug, PartialEq)]
struct Number {
    readings: Vec<f64>,
    /// Written in digits.
    digits: bool,
    /// May be part of a longer number: no month, no Roman numeral.
    joins: bool,
}

impl Number {
    fn equals(&self, other: &Self) -> bool {
        let near = |a: f64, b: f64| (a - b).abs() <= 1e-9 * a.abs().max(b.abs());
        self.readings
            .iter()
            .any(|a| other.readings.iter().any(|b| near(*a, *b)))
    }
}

fn numbers(text: &str) -> Vec<Number> {
    let text = normalise(text);
    let mut out: Vec<Number> = Vec::new();
    let mut run: Vec<Number> = Vec::new();
    let mut rest = text.as_str();
    while let Some(c) = rest.chars().next() {
        let len = if c.is_ascii_digit() {
            let len = digits_len(rest);
            run.push(digits(&rest[..len], &rest[len..]));
            len
        } else if c.is_alphabetic() {
            let len = rest
                .find(|c: char| !c.is_alphabetic())
                .unwrap_or(rest.len());
            let word = &rest[..len];
            match word_number(word) {
                Some(number) if number.joins => run.push(number),
                Some(number) => {
                    close(&mut run, &mut out);
                    out.push(number);
                }
                None if word == "and" || word == "و" => {}
                None => close(&mut run, &mut out),
            }
            len
        } else {
            if !(c.is_whitespace() || c == '-' || c == '$' || c == '€' || c == '£') {
                close(&mut run, &mut out);
            }
            c.len_utf8()
        };
        rest = &rest[len..];
    }
    close(&mut run, &mut out);
    out
}

/// Ends a run of neighbouring numbers: its parts also read as the whole.
fn close(run: &mut Vec<Number>, out: &mut Vec<Number>) {
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
        if let [a, b] = values[..]
            && (10.0..100.0).contains(&a)
            && b < 100.0
        {
            run[0].readings.push(a * 100.0 + b);
        }
    }
    out.append(run);
}

fn is_scale(value: f64) -> bool {
    [100.0, 1e3, 1e6, 1e9, 1e12].contains(&value)
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

fn digits(text: &str, after: &str) -> Number {
    let mut readings = readings(text);
    let suffix: String = after
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
    let trimmed = after.trim_start().to_ascii_lowercase();
    let clock =
        after.starts_with(':') || ["pm", "p.m", "مساء"].iter().any(|s| trimmed.starts_with(s));
    if clock && first < 24.0 && first.fract() == 0.0 {
        readings.push((first + 12.0) % 24.0);
    }
    Number {
        readings,
        digits: true,
        joins: true,
    }
}

/// What a number with separators may mean, the likeliest first.
fn readings(text: &str) -> Vec<f64> {
    let parts: Vec<&str> = text.split(|c: char| !c.is_ascii_digit()).collect();
    let separators: Vec<char> = text.chars().filter(|c| !c.is_ascii_digit()).collect();
    let value = |whole: &[&str], fraction: &str| -> f64 {
        format!("{}.{fraction}", whole.concat())
            .parse()
            .unwrap_or(0.0)
    };
    let Some((last, whole)) = parts.split_last() else {
        return vec![0.0];
    };
    if separators.is_empty() {
        return vec![value(&parts, "0")];
    }
    let in_threes = whole[0].len() <= 3 && parts[1..].iter().all(|p| p.len() == 3);
    let same = separators.iter().all(|c| *c == separators[0]);
    let grouped = value(&parts, "0");
    let decimal = value(whole, last);
    match (in_threes && same, separators.len(), separators[0]) {
        (true, 1, '.') => vec![decimal, grouped],
        (true, 1, ',') => vec![grouped, decimal],
        (true, ..) => vec![grouped],
        (false, 1, _) => vec![decimal],
        // 1,234.5 has one decimal mark; 12.5.2024 is a date.
        (false, ..) if !same => vec![decimal],
        (false, ..) => parts.iter().map(|p| value(&[p], "0")).collect(),
    }
}

fn word_number(word: &str) -> Option<Number> {
    let number = |readings: Vec<f64>, joins| {
        Some(Number {
            readings,
            digits: false,
            joins,
        })
    };
    if word.is_ascii() {
        if let Some(value) = roman(word) {
            return number(vec![value], false);
        }
        let lower = word.to_ascii_lowercase();
        return match english(&lower) {
            Some(value) => number(vec![value], true),
            None => number(vec![month(&lower)?], false),
        };
    }
    // "In the hundred" is per cent.
    if ["المئه", "المائه", "بالمئه", "بالمائه", "المايه", "بالمايه"].contains(&word)
    {
        return None;
    }
    let mut forms = vec![word];
    for prefix in ["وال", "بال", "ولل", "لل", "ال", "و", "ب", "ل", "ف", "ك"] {
        forms.extend(word.strip_prefix(prefix));
    }
    // An accusative ending: مليونا, ألفا.
    let stems: Vec<&str> = forms.iter().filter_map(|f| f.strip_suffix('ا')).collect();
    forms.extend(stems);
    for form in &forms {
        if let Some(value) = arabic(form) {
            return number(vec![value], true);
        }
        if let Some(values) = arabic_other(form) {
            return number(values, false);
        }
    }
    None
}

fn roman(word: &str) -> Option<f64> {
    const ROMAN: [&str; 20] = [
        "II", "III", "IV", "VI", "VII", "VIII", "IX", "XI", "XII", "XIII", "XIV", "XV", "XVI",
        "XVII", "XVIII", "XIX", "XX", "XXI", "X", "V",
    ];
    const VALUES: [u8; 20] = [
        2, 3, 4, 6, 7, 8, 9, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 10, 5,
    ];
    ROMAN
        .iter()
        .position(|r| *r == word)
        .map(|at| f64::from(VALUES[at]))
}

fn english(word: &str) -> Option<f64> {
    const UNITS: [[&str; 2]; 20] = [
        ["zero", "zeroth"],
        ["one", "first"],
        ["two", "second"],
        ["three", "third"],
        ["four", "fourth"],
        ["five", "fifth"],
        ["six", "sixth"],
        ["seven", "seventh"],
        ["eight", "eighth"],
        ["nine", "ninth"],
        ["ten", "tenth"],
        ["eleven", "eleventh"],
        ["twelve", "twelfth"],
        ["thirteen", "thirteenth"],
        ["fourteen", "fourteenth"],
        ["fifteen", "fifteenth"],
        ["sixteen", "sixteenth"],
        ["seventeen", "seventeenth"],
        ["eighteen", "eighteenth"],
        ["nineteen", "nineteenth"],
    ];
    const TENS: [&str; 8] = [
        "twent", "thirt", "fort", "fift", "sixt", "sevent", "eight", "ninet",
    ];
    if let Some(at) = UNITS.iter().position(|u| u.contains(&word)) {
        return u32::try_from(at).ok().map(f64::from);
    }
    let ends = |rest: &str| ["y", "ies", "ieth"].contains(&rest);
    if let Some(at) = TENS
        .iter()
        .position(|t| word.strip_prefix(t).is_some_and(ends))
    {
        return u32::try_from(at).ok().map(|v| f64::from(v * 10 + 20));
    }
    Some(match word {
        "once" | "single" => 1.0,
        "twice" | "both" | "pair" | "couple" | "double" | "twin" => 2.0,
        "triple" | "thrice" => 3.0,
        "half" => 0.5,
        "quarter" => 0.25,
        "tens" => 10.0,
        "dozen" | "dozens" | "noon" | "midnight" => 12.0,
        "hundred" | "hundreds" | "hundredth" => 100.0,
        "thousand" | "thousands" | "thousandth" => 1e3,
        "million" | "millions" | "millionth" => 1e6,
        "billion" | "billions" => 1e9,
        "trillion" | "trillions" => 1e12,
        _ => return None,
    })
}

fn month(word: &str) -> Option<f64> {
    const MONTHS: [&str; 12] = [
        "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
    ];
    const ENDS: [&str; 12] = [
        "uary", "ruary", "ch", "il", "", "e", "y", "ust", "tember", "ober", "ember", "ember",
    ];
    let at = MONTHS.iter().zip(ENDS).position(|(m, end)| {
        word.strip_prefix(m)
            .is_some_and(|rest| rest.is_empty() || rest == end || rest == "t")
    })?;
    u32::try_from(at + 1).ok().map(f64::from)
}

fn arabic(word: &str) -> Option<f64> {
    const UNITS: [(&str, f64); 41] = [
        ("صفر", 0.0),
        ("واحد", 1.0),
        ("احد", 1.0),
        ("احدي", 1.0),
        ("اول", 1.0),
        ("اولي", 1.0),
        ("حادي", 1.0),
        ("اثنان", 2.0),
        ("اثنين", 2.0),
        ("اثنتان", 2.0),
        ("اثنتين", 2.0),
        ("اثنا", 2.0),
        ("اثني", 2.0),
        ("اثنتا", 2.0),
        ("اثنتي", 2.0),
        ("ثان", 2.0),
        ("ثاني", 2.0),
        ("ثلاث", 3.0),
        ("ثالث", 3.0),
        ("اربع", 4.0),
        ("رابع", 4.0),
        ("خمس", 5.0),
        ("خامس", 5.0),
        ("ست", 6.0),
        ("سادس", 6.0),
        ("سبع", 7.0),
        ("سابع", 7.0),
        ("ثمان", 8.0),
        ("ثماني", 8.0),
        ("ثامن", 8.0),
        ("تسع", 9.0),
        ("تاسع", 9.0),
        ("عشر", 10.0),
        ("عاشر", 10.0),
        ("مرتين", 2.0),
        ("مرتان", 2.0),
        ("كلا", 2.0),
        ("ضعف", 2.0),
        ("نصف", 0.5),
        ("ربع", 0.25),
        ("زوج", 2.0),
    ];
    const TENS: [(&str, f64); 8] = [
        ("عشر", 20.0),
        ("ثلاث", 30.0),
        ("اربع", 40.0),
        ("خمس", 50.0),
        ("ست", 60.0),
        ("سبع", 70.0),
        ("ثمان", 80.0),
        ("تسع", 90.0),
    ];
    let unit = |w: &str| {
        UNITS
            .iter()
            .find(|(name, _)| *name == w)
            .map(|(_, value)| *value)
    };
    if let Some(value) = unit(word).or_else(|| unit(word.strip_suffix('ه')?)) {
        return Some(value);
    }
    let ends = |rest: &str| ["ون", "ين", "ينات", "ينيات"].contains(&rest);
    for (stem, value) in TENS {
        if word.strip_prefix(stem).is_some_and(ends) {
            return Some(value);
        }
    }
    if let Some(value) = scale(word) {
        return Some(value);
    }
    // ثلاثمئة
    let hundreds = ["مئه", "مائه", "مايه", "مئة"]
        .iter()
        .find_map(|h| word.strip_suffix(h))?;
    unit(hundreds).map(|value| value * 100.0)
}

fn scale(word: &str) -> Option<f64> {
    Some(match word {
        "مئه" | "مائه" | "مئات" | "مايه" => 100.0,
        "مئتان" | "مئتين" | "مائتان" | "مائتين" | "مئتي" | "مائتي" => {
            200.0
        }
        "الف" | "الاف" | "الوف" => 1e3,
        "الفان" | "الفين" | "الفي" => 2e3,
        "مليون" | "ملايين" => 1e6,
        "مليونان" | "مليونين" | "مليوني" => 2e6,
        "مليار" | "مليارات" | "بليون" | "بلايين" => 1e9,
        "ملياران" | "مليارين" | "ملياري" => 2e9,
        "تريليون" | "تريليونات" | "ترليون" => 1e12,
        "دزينه" => 12.0,
        _ => return None,
    })
}

/// Months, and duals that stand for a 2.
fn arabic_other(word: &str) -> Option<Vec<f64>> {
    const MONTHS: [&[&str]; 12] = [
        &["يناير", "كانون", "جانفي"],
        &["فبراير", "شباط", "فيفري"],
        &["مارس", "اذار"],
        &["ابريل", "نيسان", "افريل"],
        &["مايو", "ايار", "ماي"],
        &["يونيو", "حزيران", "يونيه", "جوان"],
        &["يوليو", "تموز", "يوليه", "جويليه"],
        &["اغسطس", "اب", "اوت"],
        &["سبتمبر", "ايلول"],
        &["اكتوبر", "تشرين"],
        &["نوفمبر", "تشرين"],
        &["ديسمبر", "كانون"],
    ];
    const DUALS: [&str; 12] = [
        "عامين",
        "عامان",
        "يومين",
        "يومان",
        "شهرين",
        "شهران",
        "هدفين",
        "هدفان",
        "دولارين",
        "اسبوعين",
        "اسبوعان",
        "شخصين",
    ];
    let mut values = Vec::new();
    let mut value = 0.0;
    for names in MONTHS {
        value += 1.0;
        if names.contains(&word) {
            values.push(value);
        }
    }
    let dual = word.chars().count() >= 5 && (word.ends_with("تين") || word.ends_with("تان"));
    if values.is_empty() && (dual || DUALS.contains(&word)) {
        values.push(2.0);
    }
    (!values.is_empty()).then_some(values)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_quiet_where_numbers_are_equal() {
        let cases = [
            ("1,000 people", "١٬٠٠٠ شخص"),
            ("1,000 people", "1000 شخص"),
            ("3.5 percent", "٣٫٥ في المئة"),
            ("3.5%", "3,5 بالمئة"),
            ("5 million dollars", "5 ملايين دولار"),
            ("5 million dollars", "خمسة ملايين دولار"),
            ("5 million dollars", "5,000,000 دولار"),
            ("$2.5bn", "2.5 مليار دولار"),
            ("2.5 million", "مليونين و500 ألف"),
            ("the 1990s", "التسعينيات"),
            ("the 1990s", "تسعينيات القرن الماضي"),
            ("the 21st century", "القرن الحادي والعشرين"),
            ("on 2024-07-22", "في 22 يوليو 2024"),
            ("on 22 July", "في 22/7"),
            ("25 people", "خمسة وعشرون شخصا"),
            ("350 tons", "ثلاثمئة وخمسون طنا"),
            ("twelve men", "12 رجلا"),
            ("at 5:30 pm", "في الساعة 17:30"),
            ("1,234,567.5", "١٬٢٣٤٬٥٦٧٫٥"),
            ("10 000 metres", "10,000 متر"),
            ("2 years", "سنتين"),
            ("see https://a.b/2024", "انظر https://a.b/2024"),
        ];
        for (en, ar) in cases {
            assert_eq!(compare(en, ar), NumberDiff::default(), "{en} | {ar}");
            assert_eq!(compare(ar, en), NumberDiff::default(), "{ar} | {en}");
        }
    }

    #[test]
    fn fails_when_a_number_is_dropped_changed_or_invented() {
        let cases = [
            ("He paid 300 dollars", "دفع دولارات", true, false),
            ("He paid 300 dollars", "دفع 30 دولارا", true, true),
            ("In 2019 he left", "غادر في عام 2018", true, true),
            ("He left", "غادر في عام 2018", false, true),
            ("5 million", "5 مليارات", true, true),
            ("3.5 percent", "35 في المئة", true, true),
            ("1,000 men", "100 رجل", true, true),
        ];
        for (en, ar, lost, added) in cases {
            assert_eq!(compare(en, ar), NumberDiff { lost, added }, "{en} | {ar}");
        }
    }
}
