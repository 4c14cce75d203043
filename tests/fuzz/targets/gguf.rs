//! GGUF files, and the weights that an engine makes of them.
#![no_main]
use libfuzzer_sys::fuzz_target;
use tarjama::engine::{causal::CausalModel, linear::Compute};
use tarjama::formats::gguf::Gguf;
use tarjama::kernel::Kernels;
use tarjama::tokenize::gguf::GgufTokenizer;

fuzz_target!(|data: (u16, &[u8])| {
    let (cut, bytes) = data;
    let (one, two) = bytes.split_at(usize::from(cut).min(bytes.len()));
    for parts in [&[bytes][..], &[one, two]] {
        let Ok(gguf) = Gguf::parse(parts) else { continue };
        let names: Vec<String> = gguf.tensor_names().map(str::to_owned).collect();
        for name in &names {
            for (rows, columns) in [(1, 32), (2, 32), (32, 32), (32, 64), (0, 0), (1, 0)] {
                if let Ok(tensor) = gguf.tensor(name, rows, columns) {
                    assert!(tensor.data.len() <= bytes.len());
                    assert_eq!(tensor.to_f32().len(), rows * columns);
                    assert_eq!(tensor.quantized().0.len(), rows * columns);
                }
            }
        }
        if let Ok(tokenizer) = GgufTokenizer::from_gguf(&gguf) {
            let _ = tokenizer.encode("ab a 12 وصل").map(|ids| tokenizer.decode(&ids));
        }
        let Ok(model) = CausalModel::load(&gguf, Kernels::portable(), Compute::Int8) else {
            continue;
        };
        let config = model.config();
        assert!(config.vocab_size.saturating_mul(config.d_model) <= 2 * bytes.len());
    }
});
