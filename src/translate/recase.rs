//! English in capitals or Title Case, recased for models that have seen little of it.
//!
//! A word is lowered when it is a common one and no name; any other keeps its capital. So a name is
//! never lowered, at the price of common words that are not in the list and stay capitalised.

use std::collections::BTreeSet;
use std::sync::OnceLock;

use super::spans::spans;
use crate::text::Lang;

/// Words of five letters and more, and some shorter ones, that are written with a small letter in
/// nearly all running text and are no usual name.
const COMMON_WORDS: &str = include_str!("recase/common_words.txt");

/// Short words that are no acronym when a headline is all capitals.
const SHORT_WORDS: &str = "a i an as at be by do go he if in is it me my no of on or so to up us we \
    am all and any are ask bad ban bid big but buy can car cut day did die end far few for get gas \
    god got had has her him his hit how its job key law led let lie lot low man may men met new not \
    now off oil old one our out own pay per put ran red row run sad saw say see set she sit six son \
    tax ten the too top try two use vow war was way who why win won yes yet you able also area army \
    away baby back bank been best bill body bomb book born both call came camp case cash city club \
    come cost data dead deal debt died does done door down dies each east even ever face fact fall \
    farm fear feel fell find fire firm five flag food foot four free from full game gave girl give \
    goal goes gold good grow hall hand hard have head hear held help here high hits hold home hope \
    hour hurt idea into jail jets join just keep kept kill king know lack lake land last late lead \
    left less life like line link live long look lose loss lost made main make many mark mass meet \
    mine miss more most move much must name near need news next nine once only open over paid park \
    part past path peak plan play poll poor port post raid rail rain rate read real rise risk road \
    role rule safe said sale same save says seek seen sees sell send sent ship shot show shut side \
    sign site size snow some soon stay stop such sure take talk tank team tell test than that them \
    then they this time told took town trip true turn upon used very visa vote wait walk wall want \
    warn wave week well went were west what when whom will wind wins with word work year your zone";

/// Common words that are names or parts of names as well: a headline in Title Case keeps their
/// capital.
const NAMES: &str = "bill hope king mark may west east north south western eastern northern southern \
    central lake city river island islands bay house party court street state states union world \
    international national council bank sea gulf valley university park schools school hall army \
    force forces air security times post group police supreme high new old great grand first";

/// Words that a headline in Title Case writes small.
const SMALL_WORDS: &str = "a an the of in on at to and or for by with as but nor from into over via vs \
    than if up off per out";

/// A text in sentence case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Recased {
    pub(super) text: String,
    /// The text was all capitals, and so should its translation be.
    pub(super) capitals: bool,
}

/// `text` in sentence case when it is English and either all capitals, and more than an acronym,
/// or a headline in Title Case.
pub(super) fn recase(text: &str, from: Lang) -> Option<Recased> {
    if from != Lang::EN {
        return None;
    }
    let letters = || text.chars().filter(|c| c.is_alphabetic());
    let capitals = letters().count() >= 5 && letters().all(char::is_uppercase);
    if !capitals && !is_title_case(text) {
        return None;
    }
    let mut out = String::with_capacity(text.len());
    let (mut at, mut opens) = (0, true);
    for span in spans(text) {
        lower(&text[at..span.range.start], capitals, &mut opens, &mut out);
        out.push_str(&text[span.range.clone()]);
        at = span.range.end;
        opens = false;
    }
    lower(&text[at..], capitals, &mut opens, &mut out);
    (out != text).then_some(Recased {
        text: out,
        capitals,
    })
}

/// Four words and more with a capital each, but for the small ones; two of them are common words
/// of four letters.
fn is_title_case(text: &str) -> bool {
    let titled = |w: &str| w.starts_with(char::is_uppercase) || is_listed(SMALL_WORDS, w);
    let common = |w: &&str| w.len() >= 4 && is_lowered(&w.to_ascii_lowercase());
    words(text).count() >= 4 && words(text).all(titled) && words(text).filter(common).count() >= 2
}

fn is_listed(list: &str, word: &str) -> bool {
    list.split_whitespace().any(|listed| listed == word)
}

/// A word that is no name, even in part.
fn is_lowered(small: &str) -> bool {
    is_common(small) && !is_listed(NAMES, small)
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    let edge = |c: char| !c.is_alphanumeric();
    let words = text.split_whitespace().map(move |w| w.trim_matches(edge));
    words.filter(|w| w.starts_with(char::is_alphabetic))
}

fn is_common(small: &str) -> bool {
    static COMMON: OnceLock<BTreeSet<&str>> = OnceLock::new();
    let common = COMMON.get_or_init(|| {
        let lists = COMMON_WORDS.lines().chain(SHORT_WORDS.split_whitespace());
        lists.collect()
    });
    let stem = small.split(['\'', '’']).next().unwrap_or(small);
    common.contains(stem)
}

fn lower(text: &str, capitals: bool, opens: &mut bool, out: &mut String) {
    let inside = |c: char| c.is_alphanumeric() || c == '\'' || c == '’';
    for piece in text.split_inclusive(|c: char| !inside(c)) {
        let word = piece.trim_end_matches(|c: char| !inside(c));
        let rest = &piece[word.len()..];
        out.push_str(&recased(word, capitals, *opens));
        out.push_str(rest);
        if word.contains(char::is_alphanumeric) {
            *opens = false;
        }
        if rest.contains(['.', '!', '?', ':']) {
            *opens = true;
        }
    }
}

fn recased(word: &str, capitals: bool, opens: bool) -> String {
    let small = word.to_ascii_lowercase();
    let Some(first) = word.find(char::is_alphabetic) else {
        return word.to_owned();
    };
    let many = word.chars().filter(|c| c.is_alphabetic()).count() > 1;
    let has_digit = word.contains(|c: char| c.is_ascii_digit());
    let common = is_common(&small) && small != "i" && !small.starts_with("i'");
    let rest = word[first..]
        .chars()
        .next()
        .map_or(first, |c| first + c.len_utf8());
    let capital = || [&word[..rest], &small[rest..]].concat();
    if capitals {
        // Four letters that are no word are an acronym, five are a name.
        let acronym = many && (has_digit || (word.len() <= 4 && !common));
        match () {
            () if acronym => word.to_owned(),
            () if common && !opens => small,
            () => capital(),
        }
    } else {
        // A capital inside (US, McDonald, iPhone) is no headline's doing.
        let plain = word[rest..] == small[rest..];
        if plain && !opens && is_lowered(&small) {
            small
        } else {
            word.to_owned()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str, from: Lang) -> Option<String> {
        recase(text, from).map(|r| r.text)
    }

    #[test]
    fn keeps_acronyms_names_and_spans_in_capitals() {
        let cases = [
            (
                "PRESIDENT VISITS NATO AND THE UN",
                Some("President visits NATO and the UN"),
            ),
            (
                "PROTESTERS RETURN. POLICE SAY NO",
                Some("Protesters return. Police say no"),
            ),
            (
                "FLOODS NEAR MOSUL: IT DIDN'T STOP",
                Some("Floods near Mosul: It didn't stop"),
            ),
            ("HELLO {NAME} AGAIN", Some("Hello {NAME} again")),
            ("NATO", None),
            ("Mixed CASE", None),
            ("عنوان", None),
        ];
        for (source, expected) in cases {
            assert_eq!(text(source, Lang::EN).as_deref(), expected, "{source}");
        }
        assert_eq!(recase("PRESIDENTE", Lang::PT), None);
    }

    #[test]
    fn keeps_names_in_headlines_of_title_case() {
        let cases = [
            (
                "Killer Pig Mauls Chinese Farmer to Death",
                "Killer Pig mauls Chinese farmer to death",
            ),
            (
                "Sarah Palin's Eldest Son Arrested on Domestic Violence Charges",
                "Sarah Palin's Eldest son arrested on domestic violence charges",
            ),
            (
                "U.S. Weighed Penalizing El Salvador Over Support for China, Then Backed Off",
                "U.S. Weighed Penalizing El Salvador over support for China, then backed off",
            ),
            (
                "Why Trump Will Win a Second Term",
                "Why Trump will win a second term",
            ),
            (
                "UN Says McDonald's Workers Didn't Leave Baghdad on Friday",
                "UN says McDonald's workers didn't leave Baghdad on Friday",
            ),
        ];
        for (source, expected) in cases {
            let recased = recase(source, Lang::EN).unwrap();
            assert_eq!(recased.text, expected);
            assert!(!recased.capitals);
        }
        for kept in [
            "Scottish Council of Independent Schools",
            "John Edward is Director of the Scottish Council of Independent Schools",
            "The minister met the Prime Minister of Iraq",
            "Elite League: Dundee Stars 5-3 Belfast Giants",
            "Ministry of Interior",
            "George Bush and Barack Obama",
        ] {
            assert_eq!(text(kept, Lang::EN), None, "{kept}");
        }
    }
}
