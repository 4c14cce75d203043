//! Text in capitals, recased for models that have seen little of it.

use super::spans::spans;
use crate::text::Lang;

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

/// `text` in sentence case when it is English, all capitals, and more than an acronym.
pub(super) fn recase(text: &str, from: Lang) -> Option<String> {
    let letters = || text.chars().filter(|c| c.is_alphabetic());
    if from != Lang::EN || letters().count() < 5 || !letters().all(char::is_uppercase) {
        return None;
    }
    let mut out = String::with_capacity(text.len());
    let (mut at, mut opens) = (0, true);
    for span in spans(text) {
        lower(&text[at..span.range.start], &mut opens, &mut out);
        out.push_str(&text[span.range.clone()]);
        at = span.range.end;
        opens = false;
    }
    lower(&text[at..], &mut opens, &mut out);
    (out != text).then_some(out)
}

fn lower(text: &str, opens: &mut bool, out: &mut String) {
    for piece in text.split_inclusive(|c: char| !c.is_alphanumeric()) {
        let word = piece.trim_end_matches(|c: char| !c.is_alphanumeric());
        let rest = &piece[word.len()..];
        let small = word.to_ascii_lowercase();
        let acronym = word.chars().count() <= 4
            && (word.contains(|c: char| c.is_ascii_digit())
                || !SHORT_WORDS.split_whitespace().any(|w| w == small));
        match word.chars().next() {
            _ if word.is_empty() || (acronym && word.len() > 1) => out.push_str(word),
            Some(first) if *opens || small == "i" => {
                out.push(first);
                out.push_str(&word[first.len_utf8()..].to_ascii_lowercase());
            }
            _ => out.push_str(&small),
        }
        out.push_str(rest);
        if !word.is_empty() {
            *opens = false;
        }
        if rest.contains(['.', '!', '?', ':']) {
            *opens = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_acronyms_and_spans_in_capitals() {
        let cases = [
            (
                "PRESIDENT VISITS NATO AND THE UN",
                Some("President visits NATO and the UN"),
            ),
            (
                "PROTESTERS RETURN. POLICE SAY NO",
                Some("Protesters return. Police say no"),
            ),
            ("HELLO {NAME} AGAIN", Some("Hello {NAME} again")),
            ("NATO", None),
            ("Mixed CASE", None),
            ("عنوان", None),
        ];
        for (text, expected) in cases {
            assert_eq!(recase(text, Lang::EN).as_deref(), expected, "{text}");
        }
        assert_eq!(recase("PRESIDENTE", Lang::PT), None);
    }
}
