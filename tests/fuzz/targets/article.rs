//! Files of any kind by their name, as the commands read them.
#![no_main]
use libfuzzer_sys::fuzz_target;
use tarjama::article::read_bytes;

fuzz_target!(|data: (u8, &[u8])| {
    let names = ["a.txt", "a.md", "a.html", "a", "a.xhtml"];
    let name = names[usize::from(data.0) % names.len()];
    let Ok(article) = read_bytes(name, data.1) else { return };
    if let (Ok(text), false) = (std::str::from_utf8(data.1), name.ends_with("html")) {
        assert_eq!(article.text(), text.strip_prefix('\u{feff}').unwrap_or(text));
    }
});
