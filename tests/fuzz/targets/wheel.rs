//! Zip archives: no file gives more bytes than its directory states.
#![no_main]
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| tarjama::models::fuzzing::wheel(data));
