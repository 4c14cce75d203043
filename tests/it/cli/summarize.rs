//! `summarize`: languages, lengths, the record.

use super::{Home, json_lines, keys};

const ARTICLE: &str = "Ministers met in Baghdad on Monday to talk about water.\n\nThey signed an \
    agreement about the river and its dams.\n\nFarmers had asked for it for years, and the price \
    of wheat had risen.\n\nThe next meeting is in the spring.\n";

#[test]
fn keeps_the_order_and_length_that_were_asked() {
    let home = Home::new();
    let file = home.write("news.txt", ARTICLE);
    let args = ["summarize", &file, "--in", "ar,en", "--sentences", "1"];
    let out = home.tarjama(&args).good();
    let lines: Vec<&str> = out.lines().collect();
    assert_eq!(lines.len(), 2, "{out}");
    assert!(lines[0].starts_with("ar: ") && lines[1].starts_with("en: "));
    let english = &lines[1][4..];
    assert!(ARTICLE.contains(english), "a sentence of the text: {out}");
    assert_eq!(english.matches('.').count(), 1);
    let three = home.tarjama_with(&["summarize"], ARTICLE).good();
    let english = three.lines().next().unwrap();
    assert!(
        english.starts_with("en: ") && english.matches('.').count() > 1,
        "{three}"
    );
}

#[test]
fn keeps_to_one_language() {
    let home = Home::new();
    let out = home
        .tarjama_with(&["summarize", "--in", "en", "-"], ARTICLE)
        .good();
    assert!(out.starts_with("en: ") && out.lines().count() == 1, "{out}");
}

#[test]
fn keeps_the_record_as_promised() {
    let home = Home::new();
    let out = home
        .tarjama_with(&["summarize", "--json", "--sentences", "2"], ARTICLE)
        .good();
    let record = &json_lines(&out)[0];
    assert_eq!(record["schema"], "tarjama/1");
    assert_eq!(keys(&record["summary"]), ["en", "ar"]);
    assert_eq!(keys(&record["models"]), ["translation", "summary"]);
    assert!(record["models"]["summary"].is_string());
}

#[test]
fn fails_when_there_is_nothing_to_summarise() {
    let home = Home::new();
    home.tarjama_with(&["summarize"], " \n")
        .exits(2)
        .says(&["no text"]);
    home.tarjama_with(&["summarize", "--in", "fr"], ARTICLE)
        .exits(2)
        .says(&["fr"]);
    home.tarjama_with(&["summarize", "--sentences", "0"], ARTICLE)
        .exits(2)
        .says(&["--sentences"]);
}
