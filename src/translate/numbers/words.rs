//! Number words of English, Arabic and Portuguese, months and duals.

use super::Number;

/// The number that a word says, its Arabic letters in one form.
pub(super) fn word_number(word: &str) -> Option<Number> {
    if let Some(number) = portuguese(word) {
        return Some(number);
    }
    if word.is_ascii() {
        if let Some(value) = roman(word) {
            return Some(Number::in_words(vec![value], false));
        }
        let lower = word.to_ascii_lowercase();
        return match english(&lower) {
            Some(values) => Some(Number::in_words(values, true)),
            None => Some(Number::in_words(vec![month(&lower)?], false)),
        };
    }
    // "By the hundred" is per cent.
    if ["بالمئه", "بالمائه", "بالمايه"].contains(&word) {
        return None;
    }
    let mut forms = vec![word];
    for prefix in ["وال", "بال", "ولل", "لل", "ال", "و", "ب", "ل", "ف", "ك"] {
        forms.extend(word.strip_prefix(prefix));
    }
    // An accusative or a dual before a noun: مليونا, ألفا.
    let stems: Vec<&str> = forms.iter().filter_map(|f| f.strip_suffix('ا')).collect();
    if let Some(value) = forms.iter().find_map(|form| arabic(form)) {
        return Some(Number::in_words(parts(value), true));
    }
    if let Some(values) = forms.iter().find_map(|form| arabic_other(form)) {
        return Some(Number::in_words(values, false));
    }
    stems.into_iter().find_map(|stem| {
        let value = arabic(stem)?;
        let dual = is_scale(value).then_some(value * 2.0);
        let readings = parts(value).into_iter().chain(dual).collect();
        Some(Number::in_words(readings, true))
    })
}

/// A power of ten that multiplies what stands before it.
pub(super) fn is_scale(value: f64) -> bool {
    [100.0, 1e3, 1e6, 1e9, 1e12].contains(&value)
}

/// Parts of an hour are minutes too.
fn parts(value: f64) -> Vec<f64> {
    match value {
        0.5 => vec![0.5, 30.0],
        0.25 => vec![0.25, 15.0, 45.0],
        _ => vec![value],
    }
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

fn english(word: &str) -> Option<Vec<f64>> {
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
        return u32::try_from(at).ok().map(|v| vec![f64::from(v)]);
    }
    let ends = |rest: &str| ["y", "ies", "ieth"].contains(&rest);
    if let Some(at) = TENS
        .iter()
        .position(|t| word.strip_prefix(t).is_some_and(ends))
    {
        return u32::try_from(at).ok().map(|v| vec![f64::from(v * 10 + 20)]);
    }
    Some(parts(match word {
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
    }))
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

fn portuguese(word: &str) -> Option<Number> {
    const CARDINALS: [(&str, f64); 49] = [
        ("um", 1.0),
        ("uma", 1.0),
        ("dois", 2.0),
        ("duas", 2.0),
        ("três", 3.0),
        ("quatro", 4.0),
        ("cinco", 5.0),
        ("seis", 6.0),
        ("sete", 7.0),
        ("oito", 8.0),
        ("nove", 9.0),
        ("dez", 10.0),
        ("onze", 11.0),
        ("doze", 12.0),
        ("dúzia", 12.0),
        ("treze", 13.0),
        ("catorze", 14.0),
        ("quatorze", 14.0),
        ("quinze", 15.0),
        ("dezesseis", 16.0),
        ("dezasseis", 16.0),
        ("dezessete", 17.0),
        ("dezassete", 17.0),
        ("dezoito", 18.0),
        ("dezenove", 19.0),
        ("dezanove", 19.0),
        ("vinte", 20.0),
        ("trinta", 30.0),
        ("quarenta", 40.0),
        ("cinquenta", 50.0),
        ("sessenta", 60.0),
        ("setenta", 70.0),
        ("oitenta", 80.0),
        ("noventa", 90.0),
        ("cem", 100.0),
        ("cento", 100.0),
        ("duzentos", 200.0),
        ("trezentos", 300.0),
        ("quatrocentos", 400.0),
        ("quinhentos", 500.0),
        ("mil", 1e3),
        ("milhares", 1e3),
        ("milhão", 1e6),
        ("milhões", 1e6),
        ("bilhão", 1e9),
        ("bilhões", 1e9),
        ("trilhão", 1e12),
        ("trilhões", 1e12),
        ("meio", 0.5),
    ];
    const MONTHS: [&str; 12] = [
        "janeiro",
        "fevereiro",
        "março",
        "abril",
        "maio",
        "junho",
        "julho",
        "agosto",
        "setembro",
        "outubro",
        "novembro",
        "dezembro",
    ];
    if !word.starts_with(|c: char| c.is_ascii_alphabetic()) {
        return None;
    }
    let lower = word.to_lowercase();
    if let Some((_, value)) = CARDINALS.iter().find(|(name, _)| *name == lower) {
        return Some(Number::in_words(parts(*value), true));
    }
    let month = MONTHS.iter().position(|name| *name == lower)?;
    let value = u32::try_from(month + 1).ok().map(f64::from)?;
    Some(Number::in_words(vec![value], false))
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
        "مئتان" | "مئتين" | "مائتان" | "مائتين" | "مئتي" | "مائتي" | "مئتا" | "مائتا" => {
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

/// Months, and nouns that carry their number: duals, one goal.
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
    const DUALS: &str = "عام يوم شهر اسبوع قرن عقد هدف دولار شخص رجل طفل ولد شاب جندي شرطي ضابط \
        قتيل جريح مصاب مدني مسلح مهاجم لاعب صحفي صحافي صاروخ انفجار هجوم حزب بلد جانب طرف متر \
        كيلومتر ميل طن كيلوغرام كتاب فيلم منزل مبني مقعد فريق شوط موسم اخ";
    let mut values = Vec::new();
    let mut value = 0.0;
    for names in MONTHS {
        value += 1.0;
        if names.contains(&word) {
            values.push(value);
        }
    }
    if values.is_empty()
        && let Some(stem) = word.strip_suffix("ين").or_else(|| word.strip_suffix("ان"))
    {
        let feminine = stem.chars().count() >= 3 && stem.ends_with('ت');
        let listed = DUALS.split_whitespace().any(|noun| noun == stem);
        values.extend((feminine || listed).then_some(2.0));
    }
    // A score: one goal is said without a number.
    values.extend((word == "هدف").then_some(1.0));
    (!values.is_empty()).then_some(values)
}
