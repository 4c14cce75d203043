//! Words as things to count and compare, for summaries and metrics.

use super::{Lang, arabic, english};

/// The words of a text: runs of letters and digits, lower-cased; Arabic in one spelling.
///
/// For English letters this is the tokenisation of the `rouge-score` package without its stemmer;
/// letters that it drops (accented ones, Arabic) are kept.
#[must_use]
pub fn words(text: &str, lang: Lang) -> Vec<String> {
    let folded = if lang == Lang::AR {
        arabic::normalize(text)
    } else {
        text.to_owned()
    };
    folded
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
        .collect()
}

/// The terms of a text: its words without stop words, stemmed, in order.
#[must_use]
pub fn terms(text: &str, lang: Lang) -> Vec<String> {
    let words = words(text, lang).into_iter();
    if lang == Lang::AR {
        words
            .filter(|w| !arabic::is_stop_word(w))
            .map(|w| arabic::stem(&w))
            .collect()
    } else if lang == Lang::EN {
        words
            .filter(|w| !english::is_stop_word(w))
            .map(|w| english::stem(&w))
            .collect()
    } else {
        words.filter(|w| w.chars().count() > 3).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_words_of_both_languages() {
        assert_eq!(
            words("Iraq's 1.2m pills, don't!", Lang::EN),
            ["iraq", "s", "1", "2m", "pills", "don", "t"]
        );
        assert_eq!(
            words("أعلنت الشرطةُ، يومَ", Lang::AR),
            ["اعلنت", "الشرطه", "يوم"]
        );
    }

    #[test]
    fn keeps_terms_alone() {
        assert_eq!(
            terms("The ministers said of the agency", Lang::EN),
            ["minister", "agenci"]
        );
        assert_eq!(
            terms("وقال الوزراء إن المحافظة", Lang::AR),
            ["زراء", "محافظ"]
        );
    }
}
