//! Shortlists; the checksum is set right, as it would keep everything else unread.
#![no_main]
use libfuzzer_sys::fuzz_target;
use tarjama::formats::lexical::Lexicon;

fn checksum(bytes: &[u8]) -> u64 {
    bytes.chunks_exact(8).fold(0u64, |seed, raw| {
        let value = raw.iter().rev().fold(0u64, |v, &b| v << 8 | u64::from(b));
        seed ^ value
            .wrapping_add(0x9e37_79b9)
            .wrapping_add(seed << 6)
            .wrapping_add(seed >> 2)
    })
}

fuzz_target!(|data: &[u8]| {
    let mut bytes = data.to_vec();
    if let Some((head, body)) = bytes.split_at_mut_checked(16) {
        head[..8].copy_from_slice(&0xF11A_48D5_0134_17F5u64.to_le_bytes());
        head[8..].copy_from_slice(&checksum(body).to_le_bytes());
    }
    if let Ok(lexicon) = Lexicon::parse(&bytes, 64) {
        for source in (0..300).chain([u32::MAX]) {
            assert!(lexicon.targets(source).iter().all(|&target| target < 64));
        }
    }
});
