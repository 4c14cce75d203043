use std::io::Cursor;

use super::*;

/// A zip file of stored entries, as PyTorch writes them.
fn zip(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut list = Vec::new();
    for (name, data) in entries {
        let at = u32::try_from(out.len()).unwrap();
        let size = u32::try_from(data.len()).unwrap().to_le_bytes();
        let name_size = u16::try_from(name.len()).unwrap().to_le_bytes();
        out.extend([0x50, 0x4b, 3, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        out.extend([size, size].concat());
        out.extend(name_size);
        out.extend([0, 0]);
        out.extend(name.as_bytes());
        out.extend(*data);
        list.extend([0x50, 0x4b, 1, 2]);
        list.extend([0; 16]);
        list.extend([size, size].concat());
        list.extend(name_size);
        list.extend([0; 12]);
        list.extend(at.to_le_bytes());
        list.extend(name.as_bytes());
    }
    let start = u32::try_from(out.len()).unwrap();
    let count = u16::try_from(entries.len()).unwrap().to_le_bytes();
    let size = u32::try_from(list.len()).unwrap();
    out.extend(list);
    out.extend([0x50, 0x4b, 5, 6, 0, 0, 0, 0]);
    out.extend([count, count].concat());
    out.extend(size.to_le_bytes());
    out.extend(start.to_le_bytes());
    out.extend([0, 0]);
    out
}

/// `{"w": tensor of shape [2, 3] at offset 1 of storage 0}`.
fn pickle(global: &str, strides: [u8; 2]) -> Vec<u8> {
    let mut out = b"\x80\x02}q\x00X\x01\x00\x00\x00wq\x01".to_vec();
    out.extend(format!("c{global}\n").as_bytes());
    out.extend(b"((X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpuK\x07tQ");
    out.extend(b"K\x01K\x02K\x03\x86");
    out.extend([b'K', strides[0], b'K', strides[1], 0x86]);
    out.extend(b"\x89ccollections\nOrderedDict\n)RtRs.");
    out
}

const GOOD: &str = "torch._utils\n_rebuild_tensor_v2";

fn parse(bytes: &[u8]) -> Result<Vec<Found>, Fault> {
    read(&mut Cursor::new(bytes), bytes.len() as u64)
}

fn message(bytes: &[u8]) -> String {
    match parse(bytes).unwrap_err() {
        Fault::Damaged(what) => what,
        Fault::Io(error) => error.to_string(),
    }
}

#[test]
fn finds_tensors_where_they_lie() {
    let pickle = pickle(GOOD, [3, 1]);
    let file = zip(&[("m/data.pkl", &pickle), ("m/data/0", &[9; 28])]);
    let found = parse(&file).unwrap();
    let storage = file.windows(8).position(|w| w == [9; 8]).unwrap() as u64;
    assert_eq!(
        found,
        [("w".to_owned(), Dtype::F32, vec![2, 3], storage + 4)]
    );
}

#[test]
fn fails_when_a_name_would_run_code() {
    for global in [
        "os\nsystem",
        "builtins\neval",
        "torch._utils\n_rebuild_qtensor",
    ] {
        let file = zip(&[
            ("m/data.pkl", &pickle(global, [3, 1])),
            ("m/data/0", &[9; 28]),
        ]);
        assert!(
            message(&file).contains(&global.replace('\n', ".")),
            "{global}"
        );
    }
}

#[test]
fn fails_when_a_tensor_does_not_fit() {
    let short = zip(&[
        ("m/data.pkl", &pickle(GOOD, [3, 1])),
        ("m/data/0", &[9; 27]),
    ]);
    assert!(message(&short).contains("'w'"));
    let none = zip(&[("m/data.pkl", &pickle(GOOD, [3, 1]))]);
    assert!(message(&none).contains("'w'"));
    let turned = zip(&[
        ("m/data.pkl", &pickle(GOOD, [1, 2])),
        ("m/data/0", &[9; 28]),
    ]);
    assert!(message(&turned).contains("strided"));
}

#[test]
fn fails_when_cut_off_or_scrambled() {
    let file = zip(&[
        ("m/data.pkl", &pickle(GOOD, [3, 1])),
        ("m/data/0", &[9; 28]),
    ]);
    for end in 0..file.len() {
        assert!(parse(&file[..end]).is_err());
    }
    for at in 0..file.len() {
        for bit in 0..8 {
            let mut wild = file.clone();
            wild[at] ^= 1 << bit;
            let _ = parse(&wild);
        }
    }
}
