//! The random model of `tests/data/tiny_llama.py` against Hugging Face transformers.

use super::*;
use crate::decode::{Prompt, Rules, greedy};
use crate::engine::linear::Compute;
use crate::formats::gguf::{Gguf, GgufError};
use crate::kernel::Kernels;

const FILE: &[u8] = include_bytes!("../../../tests/data/tiny_llama.gguf");
/// Logits closer than this may change places by the order of float additions.
const NEAR: f64 = 0.02;

#[derive(serde::Deserialize)]
struct Golden {
    prompt_ids: Vec<u32>,
    ids: Vec<u32>,
    margins: Vec<f64>,
}

fn goldens() -> Vec<Golden> {
    serde_json::from_str(include_str!("../../../tests/data/tiny_llama.json")).unwrap()
}

fn model(kernels: Kernels, compute: Compute) -> CausalModel {
    CausalModel::load(&Gguf::parse(&[FILE]).unwrap(), kernels, compute).unwrap()
}

fn ids(model: &CausalModel, goldens: &[Golden]) -> Vec<Vec<u32>> {
    let prompt = |g: &Golden| Prompt {
        ids: g.prompt_ids.clone(),
        max_new_tokens: g.ids.len(),
    };
    let prompts: Vec<Prompt> = goldens.iter().map(prompt).collect();
    let decoded = greedy(&mut model.session(), &prompts, &Rules::new(u32::MAX));
    decoded.into_iter().map(|d| d.ids).collect()
}

/// Tokens before the first that differs.
fn agreed(a: &[u32], b: &[u32]) -> usize {
    a.iter().zip(b).take_while(|(a, b)| a == b).count()
}

#[test]
fn float_ids_equal_the_reference() {
    let goldens = goldens();
    let model = model(Kernels::detect(), Compute::Float32);
    assert_eq!(model.config().rope.layout, RopeLayout::Pairs);
    for (got, golden) in ids(&model, &goldens).iter().zip(&goldens) {
        let same = agreed(got, &golden.ids);
        let near = golden.margins.get(same).is_some_and(|m| *m <= NEAR);
        assert!(
            same == golden.ids.len() || near,
            "{same}: {got:?} {:?}",
            golden.ids
        );
    }
}

#[test]
fn int8_ids_begin_as_the_reference() {
    let goldens = goldens();
    let model = model(Kernels::detect(), Compute::Int8);
    let same: Vec<usize> = ids(&model, &goldens)
        .iter()
        .zip(&goldens)
        .map(|(got, golden)| agreed(got, &golden.ids))
        .collect();
    assert!(same.iter().all(|n| *n >= 2), "{same:?}");
}

#[test]
fn int8_is_the_same_alone_in_a_batch_and_on_every_instruction_set() {
    let goldens = goldens();
    let together = ids(&model(Kernels::detect(), Compute::Int8), &goldens);
    let portable = model(Kernels::portable(), Compute::Int8);
    for (golden, want) in goldens.iter().zip(together) {
        assert_eq!(ids(&portable, std::slice::from_ref(golden))[0], want);
    }
}

#[test]
fn fails_when_the_file_is_of_another_kind_of_model() {
    let rename = |from: &str, to: &str| {
        let at = FILE.windows(from.len()).position(|w| w == from.as_bytes());
        let mut bytes = FILE.to_vec();
        bytes[at.unwrap()..][..to.len()].copy_from_slice(to.as_bytes());
        let gguf = Gguf::parse(&[&bytes]).unwrap();
        CausalModel::load(&gguf, Kernels::portable(), Compute::Float32).unwrap_err()
    };
    let error = rename("llama", "lhama").to_string();
    assert!(
        error.contains("'lhama'") && error.contains("gemma3 and llama"),
        "{error}"
    );
    assert_eq!(
        rename("blk.1.attn_q.weight", "blk.1.attn_r.weight"),
        GgufError::MissingTensor("blk.1.attn_q.weight".into())
    );
    assert!(
        rename("blk.1.attn_q.weight", "blk.1.attn_qxx.bias")
            .to_string()
            .contains("bias")
    );
}

/// Three layers, 64 wide, half as many keys and values as queries, 256 in between, 352 pieces.
#[test]
fn counts_the_multiply_adds_of_its_layers() {
    let counted = |compute| model(Kernels::detect(), compute).int8_macs();
    let layers = 3 * (3 * 64 * 64 + 3 * 64 * 256);
    assert_eq!(counted(Compute::Int8), [layers, 64 * 352]);
    assert_eq!(counted(Compute::Float32), [0, 0]);
}
