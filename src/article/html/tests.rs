use super::*;
use proptest::prelude::*;

fn text(html: &str) -> String {
    parse(html).text()
}

#[test]
fn keeps_what_a_reader_sees() {
    let page = r#"<!DOCTYPE html><html lang="ar-IQ"><head><title>Site &amp; Title</title>
        <meta property="article:published_time" content="2024-07-22T10:00:00Z">
        <style>p { color: red }</style></head><body>
        <header><p>Menu</p></header><nav><ul><li>Home</li></ul></nav>
        <h1>The <b>Title</b></h1><p>One&nbsp;two
        three.<br>Four &ldquo;five&rdquo; &#1608;&#x648;.</p>
        <script>if (a < b) { "</p>" }</script>
        <ul><li>First<li>Second</ul><ol><li>A</li><li>B</li></ol>
        <!-- <p>no</p> --><footer>Copyright</footer></body></html>"#;
    let article = parse(page);
    assert_eq!(
        article.text(),
        "The Title\n\nOne\u{a0}two three.\nFour “five” وو.\n\n- First\n- Second\n1. A\n2. B\n"
    );
    assert_eq!(article.title.as_deref(), Some("The Title"));
    assert_eq!(article.date.as_deref(), Some("2024-07-22"));
    assert_eq!(article.lang, Some(Lang::AR));
    assert_eq!(article.blocks[0].kind, BlockKind::Heading);
}

#[test]
fn keeps_only_the_article_of_a_page() {
    let page = "<div>Read more</div><article><header><h1>T</h1></header><p>Body.</p></article><div>Ads</div>";
    assert_eq!(text(page), "T\n\nBody.\n");
}

#[test]
fn keeps_text_of_broken_pages() {
    assert_eq!(text("1 < 2 & 3 > 2"), "1 < 2 & 3 > 2\n");
    assert_eq!(text("<p>open <b>bold <p>next"), "open **bold**\n\nnext\n");
    assert_eq!(text("<p class=\"x>one</p><p>two</p>"), "one\n\ntwo\n");
    assert_eq!(
        text("<head><title>T</title><p>no body tag"),
        "no body tag\n"
    );
    assert_eq!(
        text("&bogus; &amp &copy; &#0; &#150;"),
        "&bogus; & © \u{fffd} –\n"
    );
    assert_eq!(text(""), "");
    assert_eq!(parse("<title>Only</title>").title.as_deref(), Some("Only"));
}

#[test]
fn keeps_inline_marks_as_a_reader_would_write_them() {
    let cases = [
        (
            "<p>The <strong>prime minister </strong>said <em>no</em>.",
            "The **prime minister** said *no*.",
        ),
        (
            "<p>See <a class=x href='https://a.b/c?d=1&amp;e'>the <b>report</b></a>, <a href=\"/x\">here</a>",
            "See [the **report**](https://a.b/c?d=1&e), here",
        ),
        (
            "<li>Run <code>cargo test</code> now",
            "- Run `cargo test` now",
        ),
        (
            "<p>One <b>two<br>three</b> four",
            "One **two**\n**three** four",
        ),
        ("<p><b>One<p>two</b> three", "**One**\n\ntwo three"),
        (
            "<p>No <b> </b><a href=https://a.b><img src=x></a>marks",
            "No marks",
        ),
        (
            "<h2>A <b>bold</b> <a href=https://a.b>head</a></h2>",
            "A bold head",
        ),
        ("<p><b>one <strong>two</strong></b>", "**one two**"),
        ("<p><b>x<i>y</b>z</i>", "**x*y***z"),
        ("<p>قال <b>الوزير</b> أمس", "قال **الوزير** أمس"),
        (
            "<p><a href='javascript:x()'>no</a> <a href='https://a.b/(c)'>n</a>",
            "no n",
        ),
    ];
    for (page, expected) in cases {
        assert_eq!(text(page).trim_end(), expected, "{page}");
    }
}

#[test]
fn keeps_the_agency_header_in_bold() {
    let article = parse("<p><strong>BAGHDAD (Reuters)</strong> - The <b>minister</b> came.</p>");
    assert_eq!(article.agency.as_deref(), Some("Reuters"));
    assert_eq!(article.blocks[1].text, "The **minister** came.");
    assert_eq!(
        text("<p><b>The minister</b> came."),
        "**The minister** came.\n"
    );
}

#[test]
fn keeps_the_agency_header() {
    let article = parse("<p>BAGHDAD (Reuters) - The minister came.</p>");
    assert_eq!(article.agency.as_deref(), Some("Reuters"));
    assert_eq!(article.blocks[0].kind, BlockKind::Header);
}

proptest! {
    #[test]
    fn never_panics(page in "(</?(p|li|ul|h1|br|script|title|head|article|nav|a href=['\"]x)/?>|[<>&;#\"'/!= -]|&#x?[0-9a-f]{0,9};|\\PC){0,40}") {
        let article = parse(&page);
        for block in &article.blocks {
            prop_assert_eq!(block.text.trim(), block.text.as_str());
        }
    }
}
