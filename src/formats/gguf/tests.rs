use super::*;
use half::f16;
use proptest::prelude::*;

fn push_text(out: &mut Vec<u8>, text: &str) {
    out.extend((text.len() as u64).to_le_bytes());
    out.extend(text.as_bytes());
}

/// A file with one key and the tensors given as (name, columns, rows, type, data).
pub(crate) fn file(tensors: &[(&str, u64, u64, u32, Vec<u8>)]) -> Vec<u8> {
    let mut out = b"GGUF".to_vec();
    out.extend(3u32.to_le_bytes());
    out.extend((tensors.len() as u64).to_le_bytes());
    out.extend(1u64.to_le_bytes());
    push_text(&mut out, "general.architecture");
    out.extend(8u32.to_le_bytes());
    push_text(&mut out, "test");
    let mut offset = 0u64;
    for (name, columns, rows, dtype, data) in tensors {
        push_text(&mut out, name);
        out.extend(2u32.to_le_bytes());
        out.extend(columns.to_le_bytes());
        out.extend(rows.to_le_bytes());
        out.extend(dtype.to_le_bytes());
        out.extend(offset.to_le_bytes());
        offset += (data.len() as u64).next_multiple_of(32);
    }
    out.resize(out.len().next_multiple_of(32), 0);
    for (.., data) in tensors {
        out.extend(data);
        out.resize(out.len().next_multiple_of(32), 0);
    }
    out
}

fn q5_block(scale: f32, values: [i8; 32]) -> Vec<u8> {
    let mut out = f16::from_f32(scale).to_le_bytes().to_vec();
    let unsigned: Vec<u32> = values.iter().map(|v| (i32::from(*v) + 16) as u32).collect();
    let high = unsigned
        .iter()
        .enumerate()
        .fold(0u32, |h, (i, v)| h | ((v >> 4) << i));
    out.extend(high.to_le_bytes());
    out.extend((0..16).map(|i| ((unsigned[i] & 15) | ((unsigned[i + 16] & 15) << 4)) as u8));
    out
}

#[test]
fn keeps_q5_0_values_exactly() {
    let values: [i8; 32] = std::array::from_fn(|i| i as i8 - 16);
    let bytes = file(&[("w", 32, 1, 6, q5_block(0.5, values))]);
    let gguf = Gguf::parse(&[&bytes]).unwrap();
    let (q, scales) = gguf.tensor("w", 1, 32).unwrap().quantized();
    assert_eq!(q, values);
    assert_eq!(scales, [0.5]);
}

#[test]
fn reads_parts_cut_at_a_tensor_boundary() {
    let (a, b) = (vec![1u8; 128], vec![2u8; 128]);
    let bytes = file(&[("a", 32, 1, 0, a), ("b", 32, 1, 0, b.clone())]);
    let (one, two) = bytes.split_at(bytes.len() - 128);
    let gguf = Gguf::parse(&[one, two]).unwrap();
    assert_eq!(gguf.tensor("b", 1, 32).unwrap().data, &b[..]);
    assert_eq!(gguf.tensor("a", 1, 32).unwrap().data, &[1u8; 128][..]);
}

#[test]
fn fails_when_a_tensor_is_missing_or_of_another_shape() {
    let bytes = file(&[("a", 32, 1, 0, vec![0; 128])]);
    let gguf = Gguf::parse(&[&bytes]).unwrap();
    assert_eq!(
        gguf.tensor("b", 1, 32).unwrap_err(),
        GgufError::MissingTensor("b".into())
    );
    assert!(
        gguf.tensor("a", 2, 16)
            .unwrap_err()
            .to_string()
            .contains("[1, 32]")
    );
}

#[test]
fn fails_when_the_file_states_more_than_it_holds() {
    let mut bytes = file(&[]);
    bytes[8..16].copy_from_slice(&u64::MAX.to_le_bytes());
    assert!(matches!(Gguf::parse(&[&bytes]), Err(GgufError::Invalid(_))));
}

#[test]
fn fails_when_a_dimension_is_zero_and_the_others_are_huge() {
    let mut bytes = file(&[("a", 0, u64::MAX, 0, Vec::new())]);
    assert!(matches!(Gguf::parse(&[&bytes]), Err(GgufError::Invalid(_))));
    bytes = file(&[("a", 32, 1, 0, vec![0; 128])]);
    assert!(Gguf::parse(&[&bytes]).unwrap().data_end() <= bytes.len());
}

proptest! {
    #[test]
    fn fails_cleanly_on_a_damaged_file(cut in 0usize..400, at in 0usize..400, byte: u8) {
        let mut bytes = file(&[("a", 32, 1, 0, vec![0; 128]), ("b", 32, 2, 8, vec![7; 68])]);
        let i = at % bytes.len();
        bytes[i] = byte;
        bytes.truncate(cut.max(1).min(bytes.len()));
        if let Ok(gguf) = Gguf::parse(&[&bytes]) {
            let names: Vec<String> = gguf.tensor_names().map(str::to_owned).collect();
            for name in names {
                if let Ok(t) = gguf.tensor(&name, 1, 32) {
                    let _ = t.to_f32();
                }
            }
        }
    }
}

fn hex(text: &str) -> Vec<u8> {
    let digits = text.as_bytes().as_chunks::<2>().0.iter();
    let byte = |d: &[u8; 2]| u8::from_str_radix(std::str::from_utf8(d).unwrap(), 16).unwrap();
    digits.map(byte).collect()
}

/// `tests/data/gguf_blocks.py` says where the values come from.
#[test]
fn keeps_the_values_of_every_type_as_the_reference_reads_them() {
    let text = include_str!("../../../tests/data/gguf_blocks.json");
    let cases: BTreeMap<String, serde_json::Value> = serde_json::from_str(text).unwrap();
    assert_eq!(cases.len(), 9);
    for (name, case) in cases {
        let want = hex(case["values"].as_str().unwrap());
        let want = want.as_chunks::<4>().0.iter();
        let want: Vec<f32> = want.map(|b| f32::from_le_bytes(*b)).collect();
        let data = hex(case["bytes"].as_str().unwrap());
        let code = case["code"].as_u64().unwrap() as u32;
        let columns = want.len();
        let bytes = file(&[("w", columns as u64, 1, code, data)]);
        let gguf = Gguf::parse(&[&bytes]).unwrap();
        let tensor = gguf.tensor("w", 1, columns).unwrap();
        assert_eq!(tensor.to_f32(), want, "{name}");
        let (values, scales) = tensor.quantized();
        assert_eq!((values.len(), scales.len()), (columns, columns / BLOCK));
        let exact = ["Q4_0", "Q5_0", "Q8_0"].contains(&name.as_str());
        for (i, want) in want.iter().enumerate() {
            let scale = scales[i / BLOCK];
            let error = (f32::from(values[i]) * scale - want).abs();
            let most = if exact { 0.0 } else { scale * 0.5001 };
            assert!(error <= most, "{name} {i}: {error} {scale}");
        }
    }
}
