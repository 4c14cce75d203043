//! Encodings: what is UTF-8 comes through unchanged, everything else is text or an error.
#![no_main]
use libfuzzer_sys::fuzz_target;
use tarjama::article::encoding::{decode, decode_html};

fuzz_target!(|data: &[u8]| {
    let body = data.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(data);
    let utf16 = data.starts_with(b"\xFF\xFE") || data.starts_with(b"\xFE\xFF");
    for decode in [decode, decode_html] {
        let result = decode(data);
        if let (Ok(text), false) = (std::str::from_utf8(body), utf16) {
            assert_eq!(result, Ok((text.to_owned(), false)));
        }
    }
});
