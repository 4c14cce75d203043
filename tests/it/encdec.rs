//! Encoder-decoder models against goldens of Hugging Face's transformers
//! and of CTranslate2.
//!
//! `tests/data/encdec` holds one tiny checkpoint a family (its README says how they are made);
//! `TARJAMA_GOLDENS` may name a folder of more, of other seeds.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use std::sync::Arc;

use serde_json::Value;
use tarjama::decode::{DecodeOptions, Slot, Stepper as _};
use tarjama::engine::encdec::{Config, Model};
use tarjama::engine::linear::Compute;
use tarjama::formats::checkpoint::Checkpoint;
use tarjama::kernel::Kernels;
use tarjama::models::open::{OpenOptions, open_dir};
use tarjama::summarize::Seq2SeqSummarizer;
use tarjama::text::{Direction, Lang};
use tarjama::translate::{HubModel, Translator};

/// Folders with a `golden.json`, sorted.
fn goldens() -> Vec<PathBuf> {
    let mut roots = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/encdec")];
    roots.extend(std::env::var_os("TARJAMA_GOLDENS").map(PathBuf::from));
    let mut found = Vec::new();
    for root in roots {
        for entry in std::fs::read_dir(root).unwrap() {
            let dir = entry.unwrap().path();
            if dir.join("golden.json").is_file() {
                found.push(dir);
            }
        }
    }
    found.sort();
    assert!(!found.is_empty());
    found
}

fn golden(dir: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(dir.join("golden.json")).unwrap()).unwrap()
}

/// Lines of `tarjama translate --lines --json`.
fn translate(dir: &Path, flags: &[&str], texts: &[&str]) -> Vec<Value> {
    let mut child = Command::new(env!("CARGO_BIN_EXE_tarjama"))
        .args(["translate", "--lines", "--json", "--model"])
        .arg(dir)
        .args(flags)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(texts.join("\n").as_bytes()).unwrap();
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {stderr}", dir.display());
    let stdout = String::from_utf8(output.stdout).unwrap();
    stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// What differs between a golden and the program's answer.
fn difference(case: &Value, search: &str, line: &Value) -> Option<String> {
    let (wanted, got) = (&case[search], &line["hypotheses"][0]);
    if case["source_ids"] != line["source_ids"] {
        return Some(format!(
            "source ids\n  wanted {}\n  got    {}",
            case["source_ids"], line["source_ids"]
        ));
    }
    for field in ["ids", "text"] {
        // CTranslate2 knows no text.
        if !wanted[field].is_null() && wanted[field] != got[field] {
            return Some(format!(
                "{search} {field}\n  wanted {}\n  got    {}",
                wanted[field], got[field]
            ));
        }
    }
    let gap = (wanted["score"].as_f64().unwrap() - got["score"].as_f64().unwrap()).abs();
    (gap > 1e-4).then(|| format!("{search} score: {} and {}", wanted["score"], got["score"]))
}

fn open(dir: &Path, compute: Compute) -> Arc<dyn Translator> {
    let direction = Direction {
        from: Lang::EN,
        to: Lang::AR,
    };
    let options = OpenOptions {
        kernels: Kernels::detect(),
        compute,
    };
    open_dir("model", dir, Some(direction), options).unwrap()
}

/// The message of a model that does not open.
fn failure(dir: &Path) -> String {
    let options = OpenOptions {
        kernels: Kernels::portable(),
        compute: Compute::Float32,
    };
    match open_dir("model", dir, None, options) {
        Ok(_) => String::new(),
        Err(error) => error.to_string(),
    }
}

fn fixture(family: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data/encdec")
        .join(family)
}

fn texts(dir: &Path) -> Vec<String> {
    let golden = golden(dir);
    let cases = golden["cases"].as_array().unwrap().iter();
    cases
        .map(|c| c["text"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn a_batch_gives_what_its_lines_give_alone() {
    for family in ["marian", "m2m100", "bart", "mt5", "ct2-marian-int8"] {
        let dir = fixture(family);
        let texts = texts(&dir);
        let texts: Vec<&str> = texts.iter().map(String::as_str).take(7).collect();
        for (compute, beam) in [
            (Compute::Int8, 1),
            (Compute::Int8, 4),
            (Compute::Float32, 3),
        ] {
            let model = open(&dir, compute);
            let direction = model.info().directions[0];
            let options = DecodeOptions {
                beam: Some(beam),
                nbest: Some(beam),
                max_new_tokens: Some(12),
                ..DecodeOptions::default()
            };
            let batch = model.translate_batch(&texts, direction, &options).unwrap();
            for (text, wanted) in texts.iter().zip(batch) {
                let alone = model.translate_batch(&[text], direction, &options).unwrap();
                assert_eq!(alone, [wanted], "{family} {compute:?} {beam}: {text}");
            }
        }
    }
}

#[test]
fn keeps_the_whole_of_a_line_longer_than_the_model() {
    for family in ["marian", "t5", "mbart50"] {
        let dir = fixture(family);
        let text = texts(&dir).join("; ").repeat(3);
        let model = open(&dir, Compute::Int8);
        let direction = Direction {
            from: Lang::EN,
            to: Lang::AR,
        };
        let options = DecodeOptions {
            max_new_tokens: Some(4),
            ..DecodeOptions::default()
        };
        let result = &model
            .translate_batch(&[&text], direction, &options)
            .unwrap()[0];
        assert!(result.wrapped, "{family}");
        let wanted = model.source_tokens(&text, direction);
        let got = result.source_ids.len();
        assert!(got >= wanted * 9 / 10, "{family}: {got} of {wanted} tokens");
        assert!(!result.hypotheses[0].text.is_empty());
    }
}

#[test]
fn a_summariser_writes_what_hugging_face_writes() {
    let dir = fixture("bart");
    let model = HubModel::open(&dir, Kernels::detect(), Compute::Float32).unwrap();
    let model = Seq2SeqSummarizer::new("bart", model);
    let golden = golden(&dir);
    for case in golden["cases"].as_array().unwrap() {
        // `task_specific_params` asks for what `generation_config.json` asks for, and four beams.
        let text = case["text"].as_str().unwrap();
        let written = model.write(&[text], Lang::EN).unwrap();
        assert_eq!(written[0].0, case["beam4"]["text"].as_str().unwrap());
    }
}

/// A copy of a safetensors fixture whose header `change` has changed.
fn with_header(change: impl Fn(&mut serde_json::Map<String, Value>)) -> tempfile::TempDir {
    let copy = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(fixture("marian-one")).unwrap() {
        let path = entry.unwrap().path();
        std::fs::copy(&path, copy.path().join(path.file_name().unwrap())).unwrap();
    }
    let path = copy.path().join("model.safetensors");
    let bytes = std::fs::read(&path).unwrap();
    let size = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let mut header = serde_json::from_slice(&bytes[8..8 + size]).unwrap();
    change(&mut header);
    let header = serde_json::to_vec(&header).unwrap();
    let mut file = std::fs::File::create(&path).unwrap();
    file.write_all(&(header.len() as u64).to_le_bytes())
        .unwrap();
    file.write_all(&header).unwrap();
    file.write_all(&bytes[8 + size..]).unwrap();
    copy
}

#[test]
fn fails_when_a_tensor_is_wrong_and_names_it() {
    const NAME: &str = "model.decoder.layers.1.fc1.weight";
    assert_eq!(failure(with_header(|_| ()).path()), "");
    let missing = with_header(|h| drop(h.remove(NAME)));
    assert!(failure(missing.path()).contains(&format!("no tensor '{NAME}'")));
    let extra = with_header(|h| {
        let copy = h[NAME].clone();
        h.insert("model.decoder.layers.2.fc1.weight".to_owned(), copy);
    });
    let message = failure(extra.path());
    assert!(
        message.contains("'model.decoder.layers.2.fc1.weight'"),
        "{message}"
    );
    let turned = with_header(|h| h[NAME]["shape"] = serde_json::json!([32, 64]));
    let message = failure(turned.path());
    assert!(
        message.contains(NAME) && message.contains("[32, 64]"),
        "{message}"
    );
    let integers = with_header(|h| {
        h[NAME]["dtype"] = "I32".into();
    });
    assert!(failure(integers.path()).contains(NAME));
    let beyond = with_header(|h| {
        h[NAME]["data_offsets"] = serde_json::json!([1_000_000, 1_008_192]);
    });
    assert!(failure(beyond.path()).contains(NAME));
}

#[test]
fn fails_when_a_field_or_file_is_wrong_and_names_it() {
    let copy = with_header(|_| ());
    let config = copy.path().join("config.json");
    let text = std::fs::read_to_string(&config).unwrap();
    for (from, to, named) in [
        ("\"marian\"", "\"whisper\"", "model_type"),
        ("\"d_model\": 32", "\"d_model\": 36", "model.shared.weight"),
        (
            "\"encoder_layers\": 2",
            "\"encoder_layers\": 3",
            "model.encoder.layers.2",
        ),
        ("\"relu\"", "\"mish\"", "activation_function"),
    ] {
        assert!(text.contains(from), "{from} in {text}");
        write(&config, &text.replace(from, to));
        let message = failure(copy.path());
        assert!(message.contains(named), "{to}: {message}");
    }
    write(&config, &text);
    for file in ["vocab.json", "source.spm", "model.safetensors"] {
        let kept = std::fs::read(copy.path().join(file)).unwrap();
        std::fs::remove_file(copy.path().join(file)).unwrap();
        let message = failure(copy.path());
        assert!(!message.is_empty(), "{file}");
        std::fs::File::create(copy.path().join(file))
            .unwrap()
            .write_all(&kept[..9])
            .unwrap();
        assert!(
            failure(copy.path()).contains(file),
            "{}",
            failure(copy.path())
        );
        std::fs::File::create(copy.path().join(file))
            .unwrap()
            .write_all(&kept)
            .unwrap();
    }
}

fn write(path: &Path, text: &str) {
    std::fs::File::create(path)
        .unwrap()
        .write_all(text.as_bytes())
        .unwrap();
}

#[test]
fn every_family_is_hugging_faces_token_for_token() {
    let mut report = String::new();
    let mut compared = 0;
    for dir in goldens() {
        let golden = golden(&dir);
        let flags: Vec<&str> = golden["flags"]
            .as_array()
            .unwrap()
            .iter()
            .map(|f| f.as_str().unwrap())
            .collect();
        let cases = golden["cases"].as_array().unwrap();
        let texts: Vec<&str> = cases.iter().map(|c| c["text"].as_str().unwrap()).collect();
        for (search, more) in [("greedy", &[][..]), ("beam4", &["--beam", "4"][..])] {
            let lines = translate(&dir, &[&flags, more].concat(), &texts);
            assert_eq!(lines.len(), cases.len());
            let mut wrong = 0;
            for (case, line) in cases.iter().zip(&lines) {
                compared += 1;
                if let Some(difference) = difference(case, search, line) {
                    wrong += 1;
                    writeln!(report, "{}: {}: {difference}", dir.display(), case["text"]).unwrap();
                }
            }
            println!(
                "{} {search}: {wrong} of {} differ",
                dir.display(),
                cases.len()
            );
        }
    }
    println!("{compared} answers compared");
    assert!(report.is_empty(), "{report}");
}

/// Where `TARJAMA_FULL` names a full-size checkpoint (`make_full.py`): how many next tokens int8
/// chooses otherwise than float32 after the same ids.
#[test]
fn int8_chooses_as_float_does_on_a_full_size_shape() {
    let Some(dir) = std::env::var_os("TARJAMA_FULL").map(PathBuf::from) else {
        return;
    };
    let config = std::fs::read(dir.join("config.json")).unwrap();
    let config = Config::parse(&config).unwrap();
    let (vocab, start) = (config.source_vocab as u32, config.pad);
    let checkpoint = Checkpoint::open(&dir).unwrap();
    let load = |compute| {
        let begin = std::time::Instant::now();
        let model = Model::load(&checkpoint, config.clone(), Kernels::detect(), compute).unwrap();
        println!(
            "{compute:?} loads in {:.2} s",
            begin.elapsed().as_secs_f32()
        );
        model
    };
    let (int8, float) = (load(Compute::Int8), load(Compute::Float32));
    let sources: Vec<Vec<u32>> = (0..8u32)
        .map(|i| {
            (0..12)
                .map(|j| (i * 7919 + j * 104_729 + 17) % (vocab - 1))
                .chain([0])
                .collect()
        })
        .collect();
    let sources: Vec<&[u32]> = sources.iter().map(Vec::as_slice).collect();
    let (mut a, mut b) = (float.session(), int8.session());
    let (first, second) = (a.encode(&sources), b.encode(&sources));
    let mut next: Vec<[u32; 1]> = vec![[start]; sources.len()];
    let (mut x, mut y) = (Vec::new(), Vec::new());
    let (mut differ, mut all) = (0, 0);
    for _ in 0..12 {
        let feed = |slots: &[Slot]| -> Vec<(Slot, Vec<u32>)> {
            slots
                .iter()
                .zip(&next)
                .map(|(s, id)| (*s, id.to_vec()))
                .collect()
        };
        let (one, two) = (feed(&first), feed(&second));
        let one: Vec<(Slot, &[u32])> = one.iter().map(|(s, ids)| (*s, &ids[..])).collect();
        let two: Vec<(Slot, &[u32])> = two.iter().map(|(s, ids)| (*s, &ids[..])).collect();
        a.feed(&one, &mut x);
        b.feed(&two, &mut y);
        let width = a.vocab_size();
        let mut chosen = Vec::new();
        for (x, y) in x.chunks_exact(width).zip(y.chunks_exact(width)) {
            let (x, y) = (a.best_and_log_sum(x).0, b.best_and_log_sum(y).0);
            differ += usize::from(x != y);
            all += 1;
            chosen.push([x as u32]);
        }
        next = chosen;
    }
    println!("int8 chooses {differ} of {all} tokens otherwise than float32");
    assert!(differ * 2 < all);
}
