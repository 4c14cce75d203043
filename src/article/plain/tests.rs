use super::*;
use BlockKind::{Blank, Header, Heading, ListItem, Paragraph};
use proptest::prelude::*;

fn shape(text: &str, markdown: bool) -> Vec<(BlockKind, String, String)> {
    let article = parse(text, markdown);
    assert_eq!(article.text(), text);
    article
        .blocks
        .into_iter()
        .map(|b| (b.kind, b.prefix, b.text))
        .collect()
}

fn parts(text: &str, markdown: bool) -> Vec<(BlockKind, String)> {
    shape(text, markdown)
        .into_iter()
        .map(|(k, _, t)| (k, t))
        .collect()
}

#[test]
fn keeps_an_agency_article() {
    let text =
        " date 2024-07-22 Shafaq News/ On Monday, he arrived.\n\nKey points:\n\n- One.\n\n- Two.";
    let article = parse(text, false);
    assert_eq!(article.date.as_deref(), Some("2024-07-22"));
    assert_eq!(article.agency.as_deref(), Some("Shafaq News"));
    assert_eq!(
        shape(text, false),
        [
            (Header, " ", "date 2024-07-22 Shafaq News/"),
            (Paragraph, "", "On Monday, he arrived."),
            (Paragraph, "", "Key points:"),
            (ListItem, "- ", "One."),
            (ListItem, "- ", "Two."),
        ]
        .map(|(k, p, t)| (k, p.to_owned(), t.to_owned()))
    );
}

#[test]
fn keeps_marks_in_the_prefix() {
    for (text, kind, prefix, body) in [
        ("# Title", Heading, "# ", "Title"),
        ("### العنوان ###", Heading, "### ", "العنوان"),
        ("- item", ListItem, "- ", "item"),
        ("  * item", ListItem, "  * ", "item"),
        ("•item", ListItem, "•", "item"),
        ("– بند", ListItem, "– ", "بند"),
        ("1. one", ListItem, "1. ", "one"),
        ("12) twelve", ListItem, "12) ", "twelve"),
        ("(3) three", ListItem, "(3) ", "three"),
        ("١. بند", ListItem, "١. ", "بند"),
        ("٢- بند", ListItem, "٢- ", "بند"),
        ("أ- بند", ListItem, "أ- ", "بند"),
        ("- [ ] task", ListItem, "- [ ] ", "task"),
        ("-5 degrees", Paragraph, "", "-5 degrees"),
        ("1.5 million", Paragraph, "", "1.5 million"),
        ("2024. a year", Paragraph, "", "2024. a year"),
        (
            "#hashtag is no heading",
            Paragraph,
            "",
            "#hashtag is no heading",
        ),
        ("*bold* is no bullet", Paragraph, "", "*bold* is no bullet"),
        (
            "\u{a0}\u{a0}indented",
            Paragraph,
            "\u{a0}\u{a0}",
            "indented",
        ),
        ("(see below)", Paragraph, "", "(see below)"),
    ] {
        assert_eq!(
            shape(text, true),
            [(kind, prefix.to_owned(), body.to_owned())],
            "{text}"
        );
    }
}

#[test]
fn keeps_code_and_rules_from_the_model() {
    let text =
        "---\nlayout: x\n---\nTitle\n=====\n\n> quoted\n\n```\nlet x = 1;\n\ny\n```\n***\nend\n";
    let kept: Vec<_> = parts(text, true)
        .into_iter()
        .filter(|p| p.0 != Blank)
        .collect();
    assert_eq!(
        kept,
        [
            (Heading, "Title"),
            (Paragraph, "quoted"),
            (Paragraph, "end")
        ]
        .map(|(k, t)| (k, t.to_owned()))
    );
}

#[test]
fn keeps_wrapped_lines_in_one_block() {
    let text = "one line \r\nsecond\r\n\r\n- item\n  goes on\nnew paragraph\n";
    assert_eq!(
        parts(text, false),
        [
            (Paragraph, "one line \r\nsecond"),
            (ListItem, "item\n  goes on"),
            (Paragraph, "new paragraph")
        ]
        .map(|(k, t)| (k, t.to_owned()))
    );
}

#[test]
fn tells_wrapped_lines_from_lines() {
    let wrapped = "The conference will also see the participation of interior ministers from\n\
        neighboring and non-neighboring countries, according to the Iraqi Interior\n\
        Ministry spokesman Brigadier General Muqdad Miri.";
    assert!(looks_wrapped(wrapped));
    assert!(looks_wrapped(&wrapped.replace('\n', "\r\n")));
    let sentences = "The conference will also see the participation of interior ministers here.\n\
        The ministers of the neighbouring countries will arrive on Monday evening.\n\
        Nobody else is expected to come.";
    assert!(!looks_wrapped(sentences));
    assert!(!looks_wrapped("Name: one\nPlace: two\nDate: three"));
    assert!(!looks_wrapped("one line only"));
    assert!(!looks_wrapped(""));
}

proptest! {
    #[test]
    fn gives_the_text_back(
        text in "([-#*>•–`~=a1١.)( \t\u{a0}\r\n]|date 2024-07-22 Shafaq News/ |(BAGHDAD|بغداد) [(](Reuters|وكالات)[)] - |\\PC|.){0,40}",
        markdown: bool,
    ) {
        let article = parse(&text, markdown);
        prop_assert_eq!(article.text(), text);
        for block in &article.blocks {
            prop_assert_eq!(block.text.trim(), block.text.as_str());
            prop_assert_eq!(block.text.is_empty(), block.kind == Blank);
        }
    }
}
