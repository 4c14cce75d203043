//! The header of a safetensors file.
//!
//! Source: huggingface/safetensors `README.md`, Format.

use std::collections::BTreeMap;
use std::io::{Read, Seek, SeekFrom};

use super::checkpoint::{Dtype, Fault, Found, TensorInfo};

/// Longest header: what the format's own library takes.
const MAX_HEADER: u64 = 100_000_000;

#[derive(serde::Deserialize)]
struct Entry {
    dtype: String,
    shape: Vec<usize>,
    data_offsets: (u64, u64),
}

/// Names, types, shapes and places of the tensors in a file of `length` bytes.
pub(super) fn read(file: &mut (impl Read + Seek), length: u64) -> Result<Vec<Found>, Fault> {
    file.seek(SeekFrom::Start(0))?;
    let mut size = [0u8; 8];
    let body = length
        .checked_sub(8)
        .ok_or("it is shorter than its header")?;
    file.read_exact(&mut size)?;
    let size = u64::from_le_bytes(size);
    if size > body || size > MAX_HEADER {
        return Err("its header is longer than the file or the format allows".into());
    }
    let mut header = vec![0u8; usize::try_from(size).map_err(|_| "its header is too long")?];
    file.read_exact(&mut header)?;
    let header: BTreeMap<String, serde_json::Value> = serde_json::from_slice(&header)
        .map_err(|e| Fault::Damaged(format!("its header is no JSON object: {e}")))?;
    let data = body - size;
    let mut found = Vec::with_capacity(header.len());
    for (name, value) in header {
        if name == "__metadata__" {
            continue;
        }
        let entry: Entry = serde_json::from_value(value)
            .map_err(|e| Fault::Damaged(format!("the entry of tensor '{name}': {e}")))?;
        let dtype = match entry.dtype.as_str() {
            "F32" => Dtype::F32,
            "F16" => Dtype::F16,
            "BF16" => Dtype::Bf16,
            "I8" => Dtype::I8,
            "U8" | "BOOL" | "F8_E4M3" | "F8_E5M2" => Dtype::Other(1),
            "I16" | "U16" => Dtype::Other(2),
            "I32" | "U32" => Dtype::Other(4),
            "I64" | "U64" | "F64" => Dtype::Other(8),
            other => {
                let what = format!("tensor '{name}' is of the unknown type {other}");
                return Err(Fault::Damaged(what));
            }
        };
        let (start, end) = entry.data_offsets;
        let fits = TensorInfo::sizes(dtype, &entry.shape)
            .is_some_and(|(_, bytes)| end <= data && end.checked_sub(start) == Some(bytes));
        if !fits {
            let what = format!("tensor '{name}' does not lie in the file as its shape says");
            return Err(Fault::Damaged(what));
        }
        found.push((name, dtype, entry.shape, 8 + size + start));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    fn file(header: &str, data: usize) -> Vec<u8> {
        let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
        bytes.extend(header.as_bytes());
        bytes.resize(bytes.len() + data, 7);
        bytes
    }

    fn parse(bytes: &[u8]) -> Result<Vec<Found>, Fault> {
        read(&mut Cursor::new(bytes), bytes.len() as u64)
    }

    const GOOD: &str = r#"{"__metadata__":{"format":"pt"},"a":{"dtype":"F16","shape":[2,3],"data_offsets":[4,16]}}"#;

    #[test]
    fn finds_tensors_where_they_lie() {
        let bytes = file(GOOD, 16);
        let found = parse(&bytes).unwrap();
        let offset = 8 + GOOD.len() as u64 + 4;
        assert_eq!(found, [("a".to_owned(), Dtype::F16, vec![2, 3], offset)]);
    }

    #[test]
    fn fails_when_a_tensor_does_not_fit() {
        assert!(parse(&file(GOOD, 15)).is_err());
        for shape in ["[2,4]", "[18446744073709551615,2]", "[-1]"] {
            assert!(
                parse(&file(&GOOD.replace("[2,3]", shape), 16)).is_err(),
                "{shape}"
            );
        }
        for offsets in ["[16,4]", "[4,17]", "[4]"] {
            assert!(parse(&file(&GOOD.replace("[4,16]", offsets), 16)).is_err());
        }
        assert!(parse(&file(&GOOD.replace("F16", "Q3"), 16)).is_err());
    }

    #[test]
    fn fails_when_cut_off_or_scrambled() {
        let bytes = file(GOOD, 16);
        for end in 0..bytes.len() {
            assert!(parse(&bytes[..end]).is_err());
        }
        for at in 0..bytes.len() {
            for bit in 0..8 {
                let mut wild = bytes.clone();
                wild[at] ^= 1 << bit;
                let _ = parse(&wild);
            }
        }
    }
}
