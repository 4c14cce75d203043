//! The options that a Marian model carries as text.
#![no_main]
use libfuzzer_sys::fuzz_target;
use tarjama::engine::marian::Config;

fuzz_target!(|data: &str| {
    if let Ok(config) = Config::parse(data) {
        assert!(config.dim.is_multiple_of(config.heads));
        assert!(config.encoder_depth <= 1 << 24 && config.decoder_depth <= 1 << 24);
    }
});
