//! `tarjama bench` on a small model of the repository.

use std::path::Path;
use std::process::{Command, Output};

use tarjama::disk::atomic::write_atomic;
use tarjama::engine::linear::Compute;
use tarjama::kernel::Kernels;
use tarjama::models::open::{OpenOptions, open_dir};
use tarjama::text::{Direction, Lang};

/// Fields of a line of `--json`, in their order.
const FIELDS: [&str; 18] = [
    "model",
    "threads",
    "beam",
    "batch_tokens",
    "kernels",
    "load_s",
    "first_answer_s",
    "seconds",
    "source_words",
    "source_tokens",
    "target_tokens",
    "words_per_s",
    "tokens_per_s",
    "articles_per_h",
    "peak_rss_bytes",
    "int8_peak",
    "int8_share",
    "memory_bytes_per_s",
];

fn bench(args: &[&str]) -> Output {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/firefox-tiny");
    Command::new(env!("CARGO_BIN_EXE_tarjama"))
        .current_dir(data)
        .args(["bench", "--repeats", "1", "--from", "en", "--to", "ar"])
        .args(args)
        .env_clear()
        .env("TARJAMA_MODEL", "enar")
        .output()
        .expect("the program runs")
}

fn settings(args: &[&str]) -> Vec<serde_json::Map<String, serde_json::Value>> {
    let output = bench(&[args, &["--json"]].concat());
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{errors}");
    let lines = String::from_utf8(output.stdout).expect("UTF-8");
    let lines = lines.lines().map(serde_json::from_str);
    lines.collect::<Result<_, _>>().expect("JSON")
}

#[test]
fn keeps_one_line_a_setting_with_the_promised_fields() {
    let args = ["--lines", "en.txt", "--threads", "1,2"];
    let lines = settings(&[&args[..], &["--batch-tokens", "64,256"]].concat());
    let of = |key: &str| lines.iter().map(|l| l[key].as_u64()).collect::<Vec<_>>();
    assert_eq!(of("threads"), [Some(1), Some(1), Some(2), Some(2)]);
    assert_eq!(of("batch_tokens"), [64, 256, 64, 256].map(Some));
    for line in &lines {
        assert_eq!(line.keys().collect::<Vec<_>>(), FIELDS);
        assert_eq!(line["source_words"], 448);
        // The same work, whatever the setting.
        assert_eq!(line["target_tokens"], lines[0]["target_tokens"]);
        assert_eq!(line["source_tokens"], lines[0]["source_tokens"]);
        assert!(line["articles_per_h"].is_null());
        let seconds = |key: &str| line[key].as_f64().expect("seconds");
        assert!(seconds("load_s") <= seconds("first_answer_s"));
        assert!(seconds("int8_share") > 0.0 && seconds("int8_share") < 1.0);
        assert!(seconds("int8_peak") > 1e8 && seconds("memory_bytes_per_s") > 1e8);
        let words = seconds("source_words") / seconds("seconds");
        assert!((words / seconds("words_per_s") - 1.0).abs() < 0.1);
    }
}

#[test]
fn keeps_the_number_of_tokens_that_is_forced() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("workload.json");
    let rows = r#"{"ids":[[5,6,7,8,0],[9,10,0],[11,0]],"eos":0,"pad":1}"#;
    write_atomic(&path, rows.as_bytes()).expect("written");
    let path = path.to_str().expect("UTF-8");
    let lines = settings(&["--ids", path, "--force-tokens", "9"]);
    assert_eq!(lines[0]["target_tokens"], 27);
    assert_eq!(lines[0]["source_tokens"], 10);
    assert!(lines[0]["words_per_s"].is_null());
}

#[test]
fn counts_articles_an_hour() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("articles.jsonl");
    let rows = "{\"text\":\"The men met.\\n\\nThey spoke.\"}\n{\"text\":\"One man left.\"}\n";
    write_atomic(&path, rows.as_bytes()).expect("written");
    let lines = settings(&["--articles", path.to_str().expect("UTF-8")]);
    let number = |key: &str| lines[0][key].as_f64().expect("a number");
    assert_eq!(number("source_words"), 8.0);
    let an_hour = 2.0 / number("seconds") * 3600.0;
    assert!((number("articles_per_h") / an_hour - 1.0).abs() < 0.1);
}

#[test]
fn says_the_machine_and_its_peak() {
    let output = bench(&["--lines", "en.txt", "--threads", "1"]);
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    assert!(text.contains("GMAC/s a thread"), "{text}");
    assert!(text.contains("31 lines en-ar, 448 words"), "{text}");
}

/// Counted by hand from the shapes that each model's configuration states.
#[test]
fn counts_the_multiply_adds_of_small_known_models() {
    let square = |d: u64| d * d;
    // 32 wide, two layers each way, 64 in between: two matrices, or three with a gate. Of a
    // decoder's attention to the source, two matrices are applied to tokens read.
    let hub = |feed_forward: u64, pieces: u64| {
        let feed_forward = feed_forward * 32 * 64;
        [
            2 * (4 * square(32) + feed_forward) + 2 * 2 * square(32),
            2 * (6 * square(32) + feed_forward) + 32 * pieces,
        ]
    };
    // 64 wide, 64 in between, six layers that read and four that write, each with two matrices of
    // its recurrent unit and two of its attention; 50 words are in every shortlist.
    let firefox = [
        6 * (4 + 2) * square(64) + 4 * 2 * square(64),
        4 * (4 + 2) * square(64) + 50 * 64,
    ];
    let direction = Direction {
        from: Lang::EN,
        to: Lang::AR,
    };
    let open = |dir: &str, compute| {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/data")
            .join(dir);
        let kernels = Kernels::detect();
        let options = OpenOptions { kernels, compute };
        let model = open_dir("model", &dir, Some(direction), options).expect("opens");
        model.macs_per_token().map(|m| [m.source, m.target])
    };
    assert_eq!(open("encdec/marian", Compute::Int8), Some(hub(2, 313)));
    assert_eq!(open("encdec/mt5", Compute::Int8), Some(hub(3, 303)));
    assert_eq!(open("firefox-tiny/enar", Compute::Int8), Some(firefox));
    assert_eq!(open("encdec/marian", Compute::Float32), None);
}

#[test]
fn fails_when_a_workload_is_missing_with_its_exit_code() {
    let output = bench(&["--lines", "no-such-file.txt"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("no-such-file.txt"));
    let output = bench(&["--ids", "en.txt", "--force-tokens", "4"]);
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn ids_need_no_tokenizer_files() {
    let checkpoint = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/encdec/bart");
    let folder = tempfile::tempdir().expect("a folder");
    for name in ["config.json", "generation_config.json", "model.safetensors"] {
        std::fs::copy(checkpoint.join(name), folder.path().join(name)).expect("copied");
    }
    let path = folder.path().join("workload.json");
    write_atomic(&path, br#"{"ids":[[0,5,6,7,2],[0,8,2]],"eos":2,"pad":1}"#).expect("written");
    let model = folder.path().to_str().expect("UTF-8");
    let path = path.to_str().expect("UTF-8");
    for beam in ["1", "3"] {
        let args = ["--model", model, "--ids", path];
        let lines = settings(&[&args[..], &["--force-tokens", "6", "--beam", beam]].concat());
        assert_eq!(lines[0]["target_tokens"], 12, "beam {beam}");
    }
}
