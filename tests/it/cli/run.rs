//! `run`: inputs, outputs, ids, errors, what must not change bytes.

use std::io::Write as _;

use serde_json::{Value, json};

use super::{Home, articles, json_lines};

fn text(record: &Value) -> &str {
    record["text"].as_str().unwrap()
}

#[test]
fn keeps_packed_input_equal_to_plain() {
    let home = Home::new();
    let plain = articles(0..5);
    home.write("in.jsonl", &plain);
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(plain.as_bytes()).unwrap();
    home.write("in.jsonl.gz", gzip.finish().unwrap());
    home.write(
        "in.jsonl.zst",
        zstd::encode_all(plain.as_bytes(), 1).unwrap(),
    );
    let mut all = Vec::new();
    for packing in ["", ".gz", ".zst"] {
        let (input, output) = (format!("in.jsonl{packing}"), format!("out{packing}.jsonl"));
        home.tarjama(&["run", &input, "-o", &output]).good();
        let mut records = home.records(&output);
        for (line, record) in records.iter_mut().enumerate() {
            assert_eq!(record["source"], json!({"path": input, "line": line + 1}));
            record["source"] = Value::Null;
        }
        all.push(records);
    }
    assert_eq!(all[0].len(), 5);
    assert!(all[0] == all[1] && all[0] == all[2]);
}

#[test]
fn keeps_folders_in_the_byte_order_of_their_paths() {
    let home = Home::new();
    for (name, text) in [
        ("in/b.txt", "Bravo news."),
        ("in/a/z.md", "Alpha news."),
        ("in/a.txt", "First news."),
        ("in/B.html", "<html><body><p>Upper news.</p></body></html>"),
        (
            "in/c.jsonl",
            "{\"text\":\"Line one.\"}\n{\"text\":\"Line two.\"}\n",
        ),
        ("in/picture.png", "no input"),
    ] {
        home.write(name, text);
    }
    home.tarjama(&["run", "in", "-o", "in/out.jsonl"]).good();
    let records = home.records("in/out.jsonl");
    let paths: Vec<&str> = records
        .iter()
        .map(|r| r["source"]["path"].as_str().unwrap())
        .collect();
    assert_eq!(
        paths,
        [
            "in/B.html",
            "in/a.txt",
            "in/a/z.md",
            "in/b.txt",
            "in/c.jsonl",
            "in/c.jsonl"
        ]
    );
    let again = home.tarjama(&["run", "in", "-o", "in/out.jsonl"]);
    again.exits(0).says(&["6 records"]);
}

#[test]
fn keeps_a_filter_equal_to_a_file() {
    let home = Home::new();
    home.write("in.jsonl", articles(0..4));
    home.tarjama(&["run", "in.jsonl", "-o", "out.jsonl"]).good();
    let out = home.tarjama_with(&["run", "-", "-o", "-"], &articles(0..4));
    let piped = out
        .good()
        .replace("\"path\":\"-\"", "\"path\":\"in.jsonl\"");
    assert_eq!(piped, home.text("out.jsonl"));
    for flag in ["--overwrite", "--update", "--retry-failed"] {
        home.tarjama_with(&["run", "-", "-o", "-", flag], "")
            .exits(2)
            .says(&["-o OUT.jsonl"]);
    }
}

#[test]
fn keeps_a_filter_answering_while_its_pipe_stays_open() {
    use std::io::{BufRead as _, BufReader};
    let home = Home::new();
    let mut child = home
        .command(&["-q", "run", "-", "-o", "-"])
        .stdin(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let mut answers = BufReader::new(child.stdout.take().unwrap()).lines();
    for n in 0..3 {
        stdin.write_all(articles(n..n + 1).as_bytes()).unwrap();
        let record: Value = serde_json::from_str(&answers.next().unwrap().unwrap()).unwrap();
        assert_eq!(record["id"], format!("a{n}"));
    }
    drop(stdin);
    assert!(child.wait().unwrap().success());
}

#[test]
fn keeps_a_pipe_that_is_closed_early_quiet() {
    let home = Home::new();
    let mut child = home
        .command(&["run", "in.jsonl", "-o", "-"])
        .stdout(std::process::Stdio::piped())
        .spawn();
    home.write("in.jsonl", articles(0..400));
    if let Ok(child) = child.as_mut() {
        drop(child.stdout.take());
    }
    let output = child.unwrap().wait_with_output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!errors.contains("panic"), "{errors}");
}

#[test]
fn keeps_texts_as_files_too() {
    let home = Home::new();
    home.write(
        "in.jsonl",
        "{\"id\":\"a/1\",\"text\":\"One man.\"}\n{\"id\":\"b\",\"text\":\"Two men.\"}\n",
    );
    home.tarjama(&["run", "in.jsonl", "-o", "out.jsonl", "--text-dir", "texts"])
        .good();
    let records = home.records("out.jsonl");
    let mut names: Vec<String> = std::fs::read_dir(home.path("texts"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names.len(), 2);
    assert!(
        names[0].starts_with("a_1-") && names[1] == "b.ar.txt",
        "{names:?}"
    );
    let text = home.text("texts/b.ar.txt");
    assert_eq!(records[1]["translation"]["text"], text);
}

#[test]
fn keeps_only_the_segments_that_were_asked() {
    let home = Home::new();
    home.write(
        "in.jsonl",
        "{\"text\":\"One man.\\n\\nاجتمع الوزراء في بغداد.\\n\\n12.5\"}\n",
    );
    let listed = |detail: &str| {
        let output = format!("{detail}.jsonl");
        let args = [
            "run",
            "in.jsonl",
            "-o",
            &output,
            "--segments",
            detail,
            "--to",
            "ar",
        ];
        home.tarjama(&args).good();
        let record = home.records(&output).remove(0);
        record["translation"]["segments"]
            .as_array()
            .unwrap()
            .clone()
    };
    let (all, flagged, none) = (listed("all"), listed("flagged"), listed("none"));
    let wanted: Vec<Value> = all
        .iter()
        .filter(|s| !s["flags"].as_array().unwrap().is_empty())
        .cloned()
        .collect();
    assert_eq!(flagged, wanted);
    assert!(all.len() > flagged.len() && none.is_empty(), "{all:?}");
}

#[test]
fn keeps_fields_under_other_names_and_unknown_ones() {
    let home = Home::new();
    home.write(
        "in.jsonl",
        "{\"story\":\"One man.\",\"head\":\"A man\",\"key\":\"k1\",\"tags\":[1,{\"b\":2,\"a\":1}],\"n\":1e3}\n",
    );
    let args = "run in.jsonl -o out.jsonl --field text=story --field title=head --field id=key";
    let args: Vec<&str> = args.split(' ').collect();
    home.tarjama(&args).good();
    let record = home.records("out.jsonl").remove(0);
    assert_eq!(
        (text(&record), &record["id"], &record["title"]),
        ("One man.", &json!("k1"), &json!("A man"))
    );
    assert!(record["translation"]["title"].is_string());
    assert_eq!(record["extra"]["tags"], json!([1, {"b": 2, "a": 1}]));
    assert!(
        home.text("out.jsonl").contains("{\"b\":2,\"a\":1}"),
        "order of keys"
    );
    home.tarjama(&["run", "in.jsonl", "-o", "x.jsonl", "--field", "body"])
        .exits(2)
        .says(&["--field text=story"]);
}

#[test]
fn keeps_going_past_bad_lines_and_names_each() {
    let home = Home::new();
    let mut input = Vec::new();
    for line in [
        &b"{\"id\":\"x\",\"text\":\"One man.\"}"[..],
        b"{\"id\":\"y\",\"text\":",
        b"{\"id\":\"x\",\"text\":\"Two men.\"}",
        b"{\"id\":\"z\",\"text\":\"  \"}",
        b"{\"id\":\"u\",\"text\":\"caf\xe9\"}",
        b"",
        b"{\"id\":\"l\",\"text\":\"A very long line that passes the limit that was given.\"}",
        b"{\"text\":\"One man.\"}",
        b"{\"text\":\"One man.\"}",
        b"[1,2]",
        b"{\"title\":\"no text here\"}",
    ] {
        input.extend_from_slice(line);
        input.push(b'\n');
    }
    home.write("in.jsonl", &input);
    let args = ["run", "in.jsonl", "-o", "out.jsonl", "--max-bytes", "64"];
    home.tarjama(&args)
        .exits(3)
        .says(&["10 records, 3 done, 7 failed", "2 invalid_json"]);
    let records = home.records("out.jsonl");
    let kinds: Vec<&str> = records
        .iter()
        .map(|r| r["error"]["kind"].as_str().unwrap_or("good"))
        .collect();
    assert_eq!(
        kinds,
        [
            "good",
            "invalid_json",
            "duplicate_id",
            "no_text",
            "invalid_utf8",
            "too_large",
            "good",
            "good",
            "invalid_json",
            "no_text"
        ]
    );
    for (index, record) in records.iter().enumerate() {
        assert_eq!(record["index"], index);
        assert_eq!(record["schema"], "tarjama/1");
        if record["error"].is_object() {
            assert_eq!(
                super::keys(record),
                ["schema", "id", "index", "source", "error"]
            );
        }
    }
    let id = records[6]["id"].as_str().unwrap();
    assert!(
        id.len() == 16 && id.bytes().all(|b| b.is_ascii_hexdigit()),
        "{id}"
    );
    assert_eq!(records[7]["id"], format!("{id}-2"));
    // The blank line is counted as a line, not as an article.
    assert_eq!(records[5]["source"]["line"], 7);
    home.tarjama(&args).exits(3).says(&["10 records"]);
}

#[test]
fn keeps_the_id_of_a_text_wherever_it_comes_from() {
    let home = Home::new();
    home.write("a.txt", "One man.");
    home.write("in.jsonl", "{\"text\":\"One man.\"}\n");
    home.tarjama(&["run", "a.txt", "-o", "a.jsonl"]).good();
    home.tarjama(&["run", "in.jsonl", "-o", "b.jsonl"]).good();
    let single = home.tarjama(&["translate", "--json", "a.txt"]).good();
    let ids = [
        &home.records("a.jsonl")[0]["id"],
        &home.records("b.jsonl")[0]["id"],
        &json_lines(&single)[0]["id"],
    ]
    .map(|id| id.as_str().unwrap().to_owned());
    use sha2::Digest as _;
    let digest = sha2::Sha256::digest(b"One man.");
    let wanted: String = digest[..8].iter().map(|b| format!("{b:02x}")).collect();
    assert_eq!(ids, [wanted.clone(), wanted.clone(), wanted]);
}

#[test]
fn keeps_bytes_for_any_threads_and_batches() {
    let home = Home::new();
    home.write("in.jsonl", articles(0..60));
    let run = |output: &str, extra: &[&str]| {
        let mut args = vec!["run", "in.jsonl", "-o", output];
        args.extend(extra);
        home.tarjama(&args).good();
        home.read(output)
    };
    let one = run("one.jsonl", &["--threads", "1"]);
    assert!(one == run("two.jsonl", &["--threads", "2"]));
    assert!(one == run("small.jsonl", &["--batch-tokens", "1"]));
    assert!(
        one == run(
            "large.jsonl",
            &["--batch-tokens", "65536", "--threads", "3"]
        )
    );
    assert!(one == run("portable.jsonl", &["--kernels", "portable"]));
}

#[test]
fn keeps_progress_readable_for_programs() {
    let home = Home::new();
    home.write("in.jsonl", articles(0..30));
    let args = [
        "-q",
        "run",
        "in.jsonl",
        "-o",
        "out.jsonl",
        "--progress",
        "json",
    ];
    let ended = home.tarjama(&args).exits(0);
    let lines = json_lines(&ended.err);
    assert!(!lines.is_empty());
    for line in &lines {
        assert_eq!(
            super::keys(line),
            ["done", "failed", "words_per_s", "seconds", "read", "eta_s"]
        );
        assert!(line["done"].as_u64().is_some_and(|done| done > 0));
    }
    assert_eq!(ended.out, "");
    let args = ["run", "in.jsonl", "-o", "none.jsonl", "--progress", "none"];
    let ended = home.tarjama(&args).exits(0);
    assert!(!ended.err.contains("words/s"), "{}", ended.err);
}

#[test]
fn a_dry_run_tells_and_does_nothing() {
    let home = Home::new();
    home.write("in.jsonl", format!("{}{{\"text\":\"\"}}\n", articles(0..6)));
    home.tarjama(&["run", "in.jsonl", "-o", "out.jsonl", "--limit", "2"])
        .exits(6);
    let before = home.read("out.jsonl");
    let told = home.tarjama(&["run", "in.jsonl", "-o", "out.jsonl", "--dry-run"]);
    let told = told.good();
    for part in ["7 articles", "2 records", "no_text"] {
        assert!(told.contains(part), "{told}");
    }
    let plan = home
        .tarjama(&["run", "in.jsonl", "-o", "out.jsonl", "--dry-run", "--json"])
        .exits(0)
        .json();
    assert_eq!(plan["articles"], 7);
    assert_eq!(plan["written"], 2);
    assert_eq!(plan["errors"], json!({"no_text": 1}));
    assert!(plan["bytes"].as_u64().is_some_and(|bytes| bytes > 300));
    assert_eq!(home.read("out.jsonl"), before);
    home.tarjama(&["run", "in.jsonl", "-o", "new.jsonl", "--dry-run"])
        .good();
    assert!(!home.path("new.jsonl").exists() && !home.path("new.jsonl.run.json").exists());
    home.tarjama(&["run", "nowhere", "-o", "new.jsonl", "--dry-run"])
        .exits(2)
        .says(&["nowhere"]);
}

#[test]
fn keeps_counts_readable_for_programs() {
    let home = Home::new();
    home.write("in.jsonl", format!("{}[]\n", articles(0..3)));
    let ended = home
        .tarjama(&["-q", "run", "in.jsonl", "-o", "out.jsonl", "--json"])
        .exits(3);
    let facts = ended.json();
    assert_eq!(
        (&facts["records"], &facts["done"], &facts["failed"]),
        (&json!(4), &json!(3), &json!(1))
    );
    assert_eq!(facts["errors"], json!({"invalid_json": 1}));
    assert_eq!(facts["stopped"], Value::Null);
    assert_eq!(ended.err, "");
    home.tarjama(&["run", "in.jsonl", "-o", "-", "--json"])
        .exits(2)
        .says(&["--json"]);
}

#[test]
fn fails_when_an_input_is_missing() {
    let home = Home::new();
    home.tarjama(&["run", "nowhere", "-o", "out.jsonl"])
        .exits(2)
        .says(&["nowhere"]);
    assert!(!home.path("out.jsonl").exists());
    home.tarjama(&["run", "-o", "out.jsonl"])
        .exits(2)
        .says(&["INPUT"]);
    home.write("in.jsonl", articles(0..1));
    home.tarjama(&["run", "in.jsonl", "-o", "no/folder/out.jsonl"])
        .exits(2)
        .says(&["no/folder"]);
}

#[test]
fn fails_when_the_disk_is_full_as_worth_retrying() {
    if !std::path::Path::new("/dev/full").exists() {
        return;
    }
    let home = Home::new();
    home.write("in.jsonl", articles(0..2));
    let full = std::fs::File::options()
        .write(true)
        .open("/dev/full")
        .unwrap();
    let output = home
        .command(&["run", "in.jsonl", "-o", "-"])
        .stdout(full)
        .output()
        .unwrap();
    super::ended(output).exits(4);
}
