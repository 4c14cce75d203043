use super::*;

fn seen(text: &str) -> Option<(String, Vec<String>)> {
    let marked = read(text)?;
    let marks = marked.marks.iter().map(|m| {
        let words = &marked.plain[m.range.clone()];
        format!("{}{words}{}", m.open, m.close)
    });
    let marks = marks.collect();
    Some((marked.plain, marks))
}

#[test]
fn keeps_marks_out_of_what_a_model_reads() {
    let cases: &[(&str, &str, &[&str])] = &[
        ("A **bold** word", "A bold word", &["**bold**"]),
        (
            "*Both* _kinds_ here",
            "Both kinds here",
            &["*Both*", "_kinds_"],
        ),
        (
            "See [the report](https://a.b/c_d?e=1), now",
            "See the report, now",
            &["[the report](https://a.b/c_d?e=1)"],
        ),
        (
            "The <b>new</b> <a href=\"/x\">law</a>.",
            "The new law.",
            &["<b>new</b>", "<a href=\"/x\">law</a>"],
        ),
        (
            "**[Nested](https://a.b) marks** go",
            "Nested marks go",
            &["**Nested marks**", "[Nested](https://a.b)"],
        ),
        (
            "Look: ![a map](https://a.b/c.png) of it",
            "Look: a map of it",
            &["![a map](https://a.b/c.png)"],
        ),
        ("قال **الوزير** أمس", "قال الوزير أمس", &["**الوزير**"]),
    ];
    for (text, plain, marks) in cases {
        let (got, found) = seen(text).unwrap();
        assert_eq!(
            (got.as_str(), &found[..]),
            (*plain, &marks.map_owned()[..]),
            "{text}"
        );
    }
}

trait Owned {
    fn map_owned(&self) -> Vec<String>;
}

impl Owned for &[&str] {
    fn map_owned(&self) -> Vec<String> {
        self.iter().map(|s| (*s).to_owned()).collect()
    }
}

#[test]
fn keeps_sentences_whole_whatever_marks_stand_at_their_ends() {
    let cases: &[(&str, &[&str])] = &[
        ("**One came.** Two left.", &["**One came.**", "Two left."]),
        (
            "He came. <b>They left.</b>",
            &["He came.", "<b>They left.</b>"],
        ),
        (
            "[He came.](https://a.b/c) <i>They</i> left.",
            &["[He came.](https://a.b/c)", "<i>They</i> left."],
        ),
        ("**He came. They left.**", &["He came.", "They left."]),
        (
            "جاء **الوزير**. غادر *هو*.",
            &["جاء **الوزير**.", "غادر *هو*."],
        ),
    ];
    for (text, expected) in cases {
        let lang = if text.is_ascii() { Lang::EN } else { Lang::AR };
        let found: Vec<&str> = sentences(text, lang)
            .into_iter()
            .map(|r| &text[r])
            .collect();
        assert_eq!(found, *expected);
    }
}

#[test]
fn keeps_signs_that_are_no_marks() {
    for text in [
        "2 * 3 * 4",
        "a snake_case_name here",
        "a < b and c > d",
        "[sic] he said",
        "He said [the] word (twice)",
        "5*3",
        "**",
        "<br/> and <p>",
        "unclosed **bold",
    ] {
        assert_eq!(seen(text), None, "{text}");
    }
}

#[test]
fn keeps_marks_around_what_their_words_became() {
    let cases = [
        (
            "The **minister** visited [Baghdad](https://a.b) today",
            &["الوزير", "بغداد"][..],
            "زار الوزير بغداد اليوم",
            "زار **الوزير** [بغداد](https://a.b) اليوم",
        ),
        // Brackets and quotation marks at the ends.
        (
            "**BAGHDAD (Reuters)** - The minister came",
            &["بغداد (رويترز)"],
            "بغداد (رويترز) - جاء الوزير",
            "**بغداد (رويترز)** - جاء الوزير",
        ),
        (
            "He called it *\"a lie\"* there",
            &["\"كذبة\""],
            "وصف ذلك بأنه \"كذبة\" هناك",
            "وصف ذلك بأنه *\"كذبة\"* هناك",
        ),
        // Another prefix, a word more, and the nearer of two.
        (
            "He met the **health minister** there",
            &["وزير الصحة"],
            "التقى بوزير الصحة هناك",
            "التقى **بوزير الصحة** هناك",
        ),
        (
            "Iraq and then **Iraq**",
            &["العراق"],
            "العراق ثم العراق",
            "العراق ثم **العراق**",
        ),
        ("**All of it.**", &[""], "كل ذلك.", "**كل ذلك.**"),
        (
            "Some **words** here",
            &["أخرى"],
            "بعض الكلمات هنا",
            "بعض الكلمات هنا",
        ),
        (
            "**[Baghdad](https://a.b)** is calm",
            &["بغداد", "بغداد"],
            "بغداد هادئة",
            "**[بغداد](https://a.b)** هادئة",
        ),
    ];
    for (source, phrases, target, expected) in cases {
        let phrases: Vec<String> = phrases.map_owned();
        let marked = read(source).unwrap();
        assert_eq!(
            place(&marked, &phrases, target, Lang::AR),
            expected,
            "{source}"
        );
    }
}
