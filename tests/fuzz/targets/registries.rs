//! Lists of models as servers send them: an address under the stated base, or an error.
#![no_main]
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &str| {
    for url in tarjama::models::fuzzing::chosen(data) {
        assert!(!url.contains(".."), "{url}");
    }
});
