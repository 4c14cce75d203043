//! Directories of safetensors, PyTorch and CTranslate2 files, and the configurations beside them.
#![no_main]
use libfuzzer_sys::fuzz_target;
use tarjama::engine::encdec::{Config, Generation};
use tarjama::formats::checkpoint::{Format, inspect};

fuzz_target!(|data: &[u8]| {
    for format in [Format::Safetensors, Format::Pickle, Format::Ctranslate2] {
        let Ok(tensors) = inspect(format, data) else { continue };
        for (_, dtype, shape) in tensors {
            let count = shape.iter().product::<usize>();
            assert!(count.saturating_mul(dtype.size()) <= data.len());
        }
    }
    if let Ok(config) = Config::parse(data) {
        assert!(config.d_model > 0 && config.encoder.heads > 0);
    }
    let _ = Generation::parse(None, data);
});
