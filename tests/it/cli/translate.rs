//! `translate`: files, pipes, bare lines.

use serde_json::json;

use super::{Home, json_lines, keys, tiny};

const ARTICLE: &str = "Ministers met in Baghdad.\n\n- They signed 3 papers.\n\nThe talks go on.\n";

#[test]
fn keeps_one_answer_for_a_file_a_dash_and_a_pipe() {
    let home = Home::new();
    let file = home.write("news.txt", ARTICLE);
    let from_file = home.tarjama(&["translate", &file]).good();
    let dash = home.tarjama_with(&["translate", "-"], ARTICLE).good();
    let pipe = home.tarjama_with(&["translate"], ARTICLE).good();
    assert_eq!((&dash, &pipe), (&from_file, &from_file));
    let shape: Vec<bool> = from_file.lines().map(|l| l.starts_with("- ")).collect();
    assert_eq!(shape, [false, false, true, false, false], "{from_file}");
}

#[test]
fn keeps_an_empty_line_for_an_empty_line() {
    let home = Home::new();
    let out = home
        .tarjama_with(&["translate", "--lines"], "\nOne man.\n \n\nTwo men.\n\n")
        .good();
    let empty: Vec<bool> = out.lines().map(str::is_empty).collect();
    assert_eq!(empty, [true, false, true, true, false, true], "{out:?}");
    let nothing = home.tarjama_with(&["translate", "--lines"], "");
    assert_eq!(nothing.good(), "");
}

#[test]
fn keeps_a_last_line_without_a_line_break() {
    let home = Home::new();
    let with = home.tarjama_with(&["translate", "--lines"], "One man.\nTwo men.\n");
    let without = home.tarjama_with(&["translate", "--lines"], "One man.\nTwo men.");
    let crlf = home.tarjama_with(&["translate", "--lines"], "One man.\r\nTwo men.\r\n");
    let (with, without, crlf) = (with.good(), without.good(), crlf.good());
    assert_eq!((&without, &crlf), (&with, &with));
}

#[test]
fn keeps_the_fields_of_a_line_as_promised() {
    let home = Home::new();
    let out = home
        .tarjama_with(&["translate", "--lines", "--json"], "One man.\n\n")
        .good();
    let lines = json_lines(&out);
    assert_eq!(keys(&lines[0]), ["source", "source_ids", "hypotheses"]);
    assert_eq!(lines[0]["source"], "One man.");
    let best = &lines[0]["hypotheses"][0];
    assert_eq!(keys(best), ["text", "ids", "score"]);
    let ids = best["ids"].as_array().unwrap();
    assert!(ids.iter().all(serde_json::Value::is_u64) && !ids.is_empty());
    assert!(best["score"].as_f64().is_some_and(|score| score <= 0.0));
    assert_eq!(
        lines[1],
        json!({"source": "", "source_ids": [], "hypotheses": []})
    );
    let plain = home.tarjama_with(&["translate", "--lines"], "One man.\n");
    assert_eq!(plain.good().trim_end(), best["text"].as_str().unwrap());
}

/// More words than any model here was trained on at once.
fn long_line() -> String {
    let words: Vec<String> = (0..400).map(|n| format!("word{n}")).collect();
    format!("{}.", words.join(" "))
}

#[test]
fn keeps_every_part_of_a_line_that_is_too_long_and_says_so() {
    let home = Home::new();
    let input = format!("One man.\n{}\n", long_line());
    let models: [&[&str]; 2] = [&[], &["--model", "tarjama-enar", "--max-new-tokens", "2"]];
    for model in models {
        let mut args = vec!["translate", "--lines", "--json", "--from", "en"];
        args.extend(["--to", "ar"]);
        args.extend(model);
        let lines = json_lines(&home.tarjama_with(&args, &input).good());
        assert_eq!(lines.len(), 2);
        assert_eq!(lines[0].get("wrapped"), None);
        assert_eq!(lines[1]["wrapped"], true);
        let ids = |value: &serde_json::Value| value.as_array().unwrap().len();
        assert!(ids(&lines[1]["source_ids"]) > 400, "all words are read");
        let text = lines[1]["hypotheses"][0]["text"].as_str().unwrap();
        assert!(!text.contains('\n'));
    }
}

#[test]
fn keeps_as_many_hypotheses_as_asked() {
    let home = Home::new();
    for model in [tiny("en-ar"), "tarjama-enar".to_owned()] {
        let args = "translate --lines --json --from en --to ar --beam 3 --nbest 2 --model";
        let mut args: Vec<&str> = args.split(' ').collect();
        args.push(&model);
        let lines = json_lines(&home.tarjama_with(&args, "One man.\n").good());
        let scores: Vec<f64> = lines[0]["hypotheses"]
            .as_array()
            .unwrap()
            .iter()
            .map(|h| h["score"].as_f64().unwrap())
            .collect();
        assert!(
            scores.len() == 2 && scores[0] >= scores[1],
            "{model}: {scores:?}"
        );
    }
    home.tarjama_with(&["translate", "--lines", "--nbest", "2"], "One man.\n")
        .exits(2)
        .says(&["--nbest 2", "--beam 2"]);
    home.tarjama_with(&["translate", "--nbest", "1"], "One man.\n")
        .exits(2)
        .says(&["--lines"]);
}

#[test]
fn keeps_the_search_within_its_bounds() {
    let home = Home::new();
    let ids = |extra: &[&str]| {
        let mut args = vec!["translate", "--lines", "--json"];
        args.extend(extra);
        let lines = json_lines(&home.tarjama_with(&args, "One man.\n").good());
        lines[0]["hypotheses"][0]["ids"].as_array().unwrap().len()
    };
    assert_eq!(ids(&["--max-new-tokens", "2"]), 2);
    assert!(ids(&["--min-new-tokens", "5"]) >= 5);
}

#[test]
fn keeps_the_record_as_promised() {
    let home = Home::new();
    let out = home
        .tarjama_with(
            &["translate", "--json"],
            " date 2024-07-22 Shafaq News/ Ministers met in Baghdad.\n",
        )
        .good();
    let record = &json_lines(&out)[0];
    assert_eq!(
        keys(record).join(" "),
        "schema id index source lang target_lang date agency title text translation summary \
         models flags counts extra error"
    );
    assert_eq!(record["schema"], "tarjama/1");
    assert_eq!(record["date"], "2024-07-22");
    assert_eq!(record["agency"], "Shafaq News");
    assert_eq!(
        (&record["lang"], &record["target_lang"]),
        (&json!("en"), &json!("ar"))
    );
    assert_eq!(keys(&record["translation"]), ["title", "text", "segments"]);
    assert_eq!(
        keys(&record["translation"]["segments"][0]),
        ["block", "source", "target", "score", "flags"]
    );
    assert_eq!(
        keys(&record["counts"]),
        ["segments", "source_words", "source_tokens", "target_tokens"]
    );
    let text = record["translation"]["text"].as_str().unwrap();
    assert!(text.starts_with(" 2024-07-22 شفق نيوز/ "), "{text}");
}

#[test]
fn keeps_guards_to_those_who_ask() {
    let home = Home::new();
    let args = ["translate", "--lines", "--guards", "--json"];
    let lines = json_lines(
        &home
            .tarjama_with(&args, "See https://example.org now.\n")
            .good(),
    );
    assert_eq!(
        keys(&lines[0]),
        ["block", "source", "target", "score", "flags"]
    );
    let target = lines[0]["target"].as_str().unwrap();
    assert!(target.contains("https://example.org"), "{target}");
    home.tarjama_with(&["translate", "--guards"], "One man.\n")
        .exits(2)
        .says(&["--lines"]);
}

#[test]
fn fails_when_a_text_is_in_the_target_language_already() {
    let home = Home::new();
    let args = ["translate", "--lines", "--from", "en", "--to", "en"];
    home.tarjama_with(&args, "One man.\n")
        .exits(2)
        .says(&["--to ar"]);
    let arabic = "اجتمع الوزراء في بغداد.\n";
    let kept = home.tarjama_with(&["translate", "--to", "ar"], arabic);
    assert_eq!(kept.good(), arabic);
}

#[test]
fn fails_when_bytes_are_no_text() {
    let home = Home::new();
    let file = home.write("x.bin", [0_u8, 1, 2, 0, 255]);
    home.tarjama(&["translate", &file])
        .exits(2)
        .says(&["x.bin"]);
    let latin = home.write("latin.txt", b"caf\xe9\n");
    home.tarjama(&["translate", "--lines", &latin])
        .exits(2)
        .says(&["latin.txt", "UTF-8", "iconv"]);
}
