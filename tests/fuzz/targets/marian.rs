//! Marian's binary models, and what the engine makes of one that loads.
#![no_main]
use libfuzzer_sys::fuzz_target;
use tarjama::decode::DecodeOptions;
use tarjama::engine::marian::{MarianModel, SpecialIds};
use tarjama::formats::marian_bin::MarianFile;

fuzz_target!(|data: &[u8]| {
    if let Ok(file) = MarianFile::parse(data) {
        for tensor in file.tensors() {
            assert!(tensor.data.len() <= data.len());
            if let Ok(values) = tensor.floats() {
                assert_eq!(values.len(), tensor.elements());
            }
            if let Ok((values, multiplier)) = tensor.quantised() {
                assert_eq!(values.len(), tensor.elements());
                assert!(multiplier > 0.0);
            }
        }
    }
    let Ok(model) = MarianModel::load(data, None) else { return };
    let special = SpecialIds { eos: 0, unknown: 1, shared: true };
    let options = DecodeOptions { max_new_tokens: Some(4), ..DecodeOptions::default() };
    for decoded in model.greedy(&[&[2, 3, 0], &[0], &[u32::MAX, 0]], special, &options) {
        assert!(decoded.ids.len() <= 4);
    }
});
