//! How BLEU cuts a segment into words.
//!
//! Source: sacreBLEU's `tokenizers/` (13a is that of mteval-v13a, intl that of mteval-v14).

use std::sync::LazyLock;

use regex::Regex;

use super::ngrams::{is_space, split};

/// A way to cut segments into words; the name stands in the signature.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tokenizer {
    /// The default of WMT and sacreBLEU.
    #[default]
    V13a,
    /// As 13a, for the punctuation and symbols of all scripts.
    Intl,
    /// Each character is a word.
    Char,
    /// The text is cut already.
    None,
}

impl Tokenizer {
    /// The name in a signature.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::V13a => "13a",
            Self::Intl => "intl",
            Self::Char => "char",
            Self::None => "none",
        }
    }

    /// The text with single spaces between its words, or nearly so: split it at white space.
    pub(super) fn apply(self, text: &str) -> String {
        let text = text.trim_end_matches(is_space);
        match self {
            Self::V13a => v13a(text),
            Self::Intl => replace(&INTL, text),
            Self::Char => text.chars().flat_map(|c| [c, ' ']).collect(),
            Self::None => text.to_owned(),
        }
    }

    /// The words of a text.
    #[must_use]
    pub fn words(self, text: &str) -> Vec<String> {
        split(&self.apply(text)).map(str::to_owned).collect()
    }
}

type Rules = LazyLock<Vec<(Regex, &'static str)>>;

fn rules(rules: &[(&str, &'static str)]) -> Vec<(Regex, &'static str)> {
    // A pattern that did not compile would be missed by the tests below.
    rules
        .iter()
        .filter_map(|(pattern, with)| Some((Regex::new(pattern).ok()?, *with)))
        .collect()
}

fn replace(rules: &Rules, text: &str) -> String {
    let mut text = text.to_owned();
    for (pattern, with) in rules.iter() {
        text = pattern.replace_all(&text, *with).into_owned();
    }
    text
}

static V13A: Rules = LazyLock::new(|| {
    rules(&[
        // ASCII punctuation and symbols but apostrophe, comma, hyphen and full stop.
        (r"([\{-~\[-` -&\(-\+:-@/])", " $1 "),
        // Full stop and comma, but between digits.
        (r"([^0-9])([.,])", "$1 $2 "),
        (r"([.,])([^0-9])", " $1 $2"),
        // A hyphen behind a digit.
        (r"([0-9])(-)", "$1 $2 "),
    ])
});

static INTL: Rules = LazyLock::new(|| {
    rules(&[
        (r"(\P{N})(\p{P})", "$1 $2 "),
        (r"(\p{P})(\P{N})", " $1 $2"),
        (r"(\p{S})", " $1 "),
    ])
});

fn v13a(text: &str) -> String {
    let mut text = text
        .replace("<skipped>", "")
        .replace("-\n", "")
        .replace('\n', " ");
    if text.contains('&') {
        let entities = [
            ("&quot;", "\""),
            ("&amp;", "&"),
            ("&lt;", "<"),
            ("&gt;", ">"),
        ];
        for (entity, character) in entities {
            text = text.replace(entity, character);
        }
    }
    replace(&V13A, &format!(" {text} "))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str =
        "He didn't pay $1,234.56 (5%) in 2019-20, U.S. \"said\"; a&amp;b «نعم»، قال.. e.g. 3.";

    #[test]
    fn keeps_the_words_of_sacrebleu() {
        // sacrebleu 2.6.0: `BLEU(tokenize=..).tokenizer(TEXT)`.
        let cases = [
            (Tokenizer::V13a, V13A_WORDS),
            (Tokenizer::Intl, INTL_WORDS),
            (Tokenizer::None, TEXT),
        ];
        for (tokenizer, wanted) in cases {
            assert_eq!(tokenizer.words(TEXT).join(" "), wanted, "{tokenizer:?}");
        }
        assert_eq!(Tokenizer::Char.words("نعم، a").join(" "), "ن ع م ، a");
    }

    const V13A_WORDS: &str = "He didn't pay $ 1,234.56 ( 5 % ) in 2019 - 20 , U . S . \" said \" ; a & b «نعم»، قال . . e . g . 3 .";
    const INTL_WORDS: &str = "He didn ' t pay $ 1,234.56 ( 5 % ) in 2019-20 , U . S . \" said \" ; a & amp ; b « نعم » ، قال . . e . g . 3.";
}
