//! Word lists of the sentence splitter.

use crate::text::Lang;

/// How an abbreviation behaves before a full stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Abbreviation {
    /// Stands before a name: never ends a sentence (`Dr.`, `Gen.`, `أ.`).
    Title,
    /// Stands before a number, else is a word (`No.`, `Art.`).
    BeforeNumber,
    /// A month, which can end a sentence.
    Month,
    /// Never ends a sentence (`e.g.`, `vs.`).
    Open,
    /// One capital letter (`J.`).
    Initial,
    /// Often ends a sentence (`U.S.`, `Inc.`, `p.m.`): the next word decides.
    Closing,
    /// An Arabic unit or era (`هـ`, `م`): ends a sentence behind a number.
    ArabicUnit,
}

const TITLES: &[&str] = &[
    "mr", "mrs", "ms", "dr", "prof", "gen", "lt", "col", "maj", "capt", "cmdr", "cpl", "sgt",
    "adm", "rev", "fr", "hon", "sen", "sens", "rep", "reps", "gov", "govs", "pres", "amb", "det",
    "insp", "supt", "brig", "pvt", "msgr", "mgr", "messrs", "mmes", "mme", "mlle", "st", "ste",
    "mt", "ft", "atty", "sr", "sra", "srta", "dra", "eng", "asst", "assoc", "dep", "min", "sec",
    "sheikh", "br", "bros",
];

/// Titles that are also common words or can end a sentence after all.
const TITLE_OR_WORD: &[&str] = &[
    "min", "sec", "mt", "ft", "br", "bros", "sr", "st", "fr", "eng",
];

const BEFORE_NUMBER: &[&str] = &[
    "no", "nos", "art", "arts", "p", "pp", "para", "paras", "fig", "figs", "vol", "vols", "ch",
    "chap", "sect", "ver", "res", "nr", "op", "eq", "pt", "tel",
];

const MONTHS: &[&str] = &[
    "jan", "feb", "mar", "apr", "jun", "jul", "aug", "sep", "sept", "oct", "nov", "dec",
];

const OPEN: &[&str] = &[
    "e.g", "eg", "i.e", "ie", "vs", "v", "cf", "viz", "ca", "approx", "c", "al-", "incl", "esp",
    "resp", "a.k.a", "n.b", "q.v",
];

const CLOSING: &[&str] = &[
    "inc", "corp", "ltd", "co", "cos", "llc", "plc", "jr", "al", "dept", "univ", "assn", "ave",
    "blvd", "rd", "hwy", "a.m", "p.m", "am", "pm", "ph.d", "m.d", "b.a", "m.a", "b.sc", "m.sc",
    "mon", "tue", "tues", "wed", "thu", "thur", "thurs", "fri", "est", "ed", "eds", "calif",
    "mass", "mich", "minn", "penn", "pa", "ariz", "ala", "fla", "ga", "ill", "ind", "kan", "ky",
    "md", "mo", "neb", "nev", "okla", "ore", "tenn", "tex", "va", "vt", "wash", "wis", "wyo",
    "colo", "conn", "del", "kg", "km", "cm", "mm", "lb", "lbs", "oz", "hr", "hrs", "mins", "secs",
    "ph", "sq", "bn", "tn", "a.d", "b.c", "c.e", "b.c.e", "intl", "natl", "u.s",
];

/// Words among the above that are plain words when written in lower case.
const PLAIN_WORDS: &[&str] = &[
    "no", "art", "ill", "mass", "wash", "pa", "mo", "del", "ind", "am", "pm", "sat", "sun", "mar",
    "min", "sec", "ed", "al", "ore", "fig", "tel", "op", "res", "gov", "rep", "hon", "rev", "gen",
    "adm", "fr", "br", "wed", "fri", "mon", "tex", "ga", "md", "pen", "kan", "nev", "ala", "sens",
    "eng", "pt", "ft", "mt", "pres", "dep", "co", "eds", "cos", "st", "conn", "ca", "va", "ver",
    "reps", "det", "col", "maj", "dec", "jun", "apr", "jan", "para", "sheikh",
];

/// Arabic titles and abbreviations that stand before what they belong to.
const ARABIC_TITLES: &[&str] = &[
    "د", "أ", "ا", "م", "أ.د", "ا.د", "أ.م.د", "م.د", "أد", "د.م", "ش", "ص", "ص.ب", "ج", "ت", "ط",
    "ع", "ن", "ر", "س", "ب", "ح", "ك", "ل", "و", "ي", "ف", "ق", "خ", "ذ", "ز", "ض", "ظ", "غ", "ث",
    "ه", "إ", "آ", "مج", "تح", "انظر", "إلخ-", "ش.م", "أ.ف.ب", "ب.ب",
];

const ARABIC_UNITS: &[&str] = &[
    "هـ", "ه", "م", "ق.م", "كم", "سم", "ملم", "كلم", "كغ", "كجم", "ص", "د.ك", "د.إ", "ر.س", "ل.ل",
];

const STARTERS: &[&str] = &[
    "The",
    "A",
    "An",
    "In",
    "On",
    "At",
    "He",
    "She",
    "It",
    "They",
    "We",
    "You",
    "I",
    "But",
    "And",
    "So",
    "Or",
    "If",
    "As",
    "When",
    "While",
    "After",
    "Before",
    "Since",
    "This",
    "That",
    "These",
    "Those",
    "There",
    "Then",
    "His",
    "Her",
    "Its",
    "Their",
    "Our",
    "My",
    "Your",
    "What",
    "Who",
    "Why",
    "How",
    "Where",
    "Which",
    "For",
    "From",
    "With",
    "Without",
    "By",
    "To",
    "Of",
    "Not",
    "No",
    "Yes",
    "Now",
    "Also",
    "However",
    "Although",
    "Though",
    "Because",
    "Some",
    "Many",
    "Most",
    "Both",
    "Another",
    "Other",
    "Others",
    "One",
    "Two",
    "Three",
    "Several",
    "Meanwhile",
    "Earlier",
    "Later",
    "Once",
    "Under",
    "Among",
    "According",
    "Despite",
    "During",
    "Until",
    "Even",
    "Still",
    "Yet",
    "Each",
    "Every",
    "All",
    "Only",
    "Nobody",
    "Nothing",
    "Such",
    "It's",
    "He's",
    "She's",
    "I'm",
    "That's",
    "There's",
    "Let",
    "Please",
    "Instead",
    "Moreover",
    "Furthermore",
    "Today",
    "Yesterday",
    "Tomorrow",
    "Officials",
    "Police",
    "Witnesses",
    "Asked",
    "More",
    "Over",
    "Nearly",
    "Here",
    "Just",
    "Last",
    "Next",
    "Recently",
    "Previously",
    "Separately",
    "Additionally",
    "Similarly",
    "Finally",
    "Between",
    "Were",
    "Was",
    "Is",
    "Are",
    "Do",
    "Does",
    "Did",
    "Can",
    "Could",
    "Would",
    "Should",
    "Will",
    "Perhaps",
    "Maybe",
    "They're",
    "We're",
    "Everyone",
    "Critics",
    "Analysts",
    "Experts",
    "Residents",
    "Scientists",
    "Researchers",
    "People",
];

const ARABIC_STARTERS: &[&str] = &[
    "وقال",
    "قال",
    "وأضاف",
    "أضاف",
    "وأكد",
    "أكد",
    "وكان",
    "كان",
    "وكانت",
    "كانت",
    "ولم",
    "لم",
    "وفي",
    "في",
    "ثم",
    "هذا",
    "هذه",
    "وهذا",
    "وهذه",
    "لكن",
    "ولكن",
    "كما",
    "بعد",
    "وبعد",
    "منذ",
    "إن",
    "وإن",
    "هو",
    "هي",
    "وهو",
    "وهي",
    "قد",
    "وقد",
    "ويعد",
    "وتم",
    "تم",
    "ومن",
    "من",
    "إلى",
    "على",
    "وعلى",
];

const SPEECH_VERBS: &[&str] = &[
    "قال",
    "قالت",
    "قالوا",
    "سأل",
    "سألت",
    "صرخ",
    "صرخت",
    "تساءل",
    "تساءلت",
    "أجاب",
    "أجابت",
    "رد",
    "ردت",
    "صاح",
    "صاحت",
    "هتف",
    "يقول",
    "تقول",
    "يسأل",
    "كتب",
    "كتبت",
    "علق",
    "حسب",
];

const DOMAINS: &[&str] = &[
    "com",
    "net",
    "org",
    "gov",
    "edu",
    "info",
    "io",
    "co",
    "uk",
    "iq",
    "ae",
    "eg",
    "js",
    "py",
    "txt",
    "pdf",
    "doc",
    "docx",
    "xls",
    "jpg",
    "jpeg",
    "png",
    "gif",
    "html",
    "htm",
    "php",
    "csv",
    "json",
    "exe",
    "zip",
    "tv",
    "me",
    "ai",
    "app",
    "شبكة",
    "السعودية",
    "امارات",
    "مصر",
    "عراق",
];

/// What the word before a full stop is; `None` for a plain word.
pub(super) fn abbreviation(word: &str, lang: Lang) -> Option<Abbreviation> {
    if word.is_empty() {
        return None;
    }
    if word.chars().all(|c| !c.is_ascii() || c == '.') && !word.is_ascii() {
        return arabic_abbreviation(word);
    }
    let mut chars = word.chars();
    if let (Some(only), None) = (chars.next(), chars.next()) {
        if only.is_uppercase() {
            return Some(Abbreviation::Initial);
        }
        return match only {
            'v' | 'c' => Some(Abbreviation::Open),
            'p' | 'n' => Some(Abbreviation::BeforeNumber),
            _ => None,
        };
    }
    let lower = word.to_lowercase();
    let lower = lower.as_str();
    let is_lower_case = !word.contains(char::is_uppercase);
    if OPEN.contains(&lower) && (is_lower_case || lower != "ca") {
        return Some(Abbreviation::Open);
    }
    if lang.code() != "en" && lang.code() != "ar" {
        let own: &[&str] = match lang.code() {
            "de" => &["z.b", "d.h", "bzw", "nr", "str", "u.a", "usw", "dr"],
            "pt" => &["sr", "sra", "dr", "dra", "exmo", "prof", "av", "núm"],
            "es" => &["sr", "sra", "dr", "dra", "ud", "uds", "av", "núm", "ee"],
            "fr" => &["mm", "mme", "mlle", "me", "mgr", "av"],
            _ => &[],
        };
        if own.contains(&lower) {
            return Some(Abbreviation::Title);
        }
    }
    if BEFORE_NUMBER.contains(&lower) {
        return Some(Abbreviation::BeforeNumber);
    }
    if is_lower_case && PLAIN_WORDS.contains(&lower) {
        return None;
    }
    if TITLES.contains(&lower) {
        let word_too = TITLE_OR_WORD.contains(&lower);
        return Some(if word_too {
            Abbreviation::Closing
        } else {
            Abbreviation::Title
        });
    }
    if MONTHS.contains(&lower) {
        return Some(Abbreviation::Month);
    }
    if CLOSING.contains(&lower) {
        return Some(Abbreviation::Closing);
    }
    // `U.N`, `F.B.I`, `J.K`, `Lt.Gen`: pieces of one or two letters with full stops between.
    let dotted = word.contains('.')
        && word
            .split('.')
            .all(|p| (1..=3).contains(&p.chars().count()))
        && word.chars().all(|c| c.is_alphabetic() || c == '.');
    dotted.then_some(Abbreviation::Closing)
}

fn arabic_abbreviation(word: &str) -> Option<Abbreviation> {
    if ARABIC_UNITS.contains(&word) {
        return Some(Abbreviation::ArabicUnit);
    }
    let letters = word.chars().filter(|c| c.is_alphabetic()).count();
    if ARABIC_TITLES.contains(&word) || letters == 1 {
        return Some(Abbreviation::Title);
    }
    let dotted = word.contains('.')
        && word
            .split('.')
            .all(|p| (1..=2).contains(&p.chars().count()));
    dotted.then_some(Abbreviation::Closing)
}

/// A usual first word of an English sentence.
pub(super) fn is_starter(word: &str) -> bool {
    let plain = word.replace('’', "'");
    STARTERS.contains(&plain.as_str())
}

/// A usual first word of an Arabic sentence.
pub(super) fn is_arabic_starter(word: &str) -> bool {
    ARABIC_STARTERS.contains(&word) || (word.starts_with(['و', 'ف']) && word.chars().count() > 4)
}

/// A verb that goes on after a quotation.
pub(super) fn is_speech_verb(word: &str) -> bool {
    SPEECH_VERBS.contains(&word)
}

/// The last label of a host name, or a file extension.
pub(super) fn is_domain(lower: &str) -> bool {
    DOMAINS.contains(&lower)
}
