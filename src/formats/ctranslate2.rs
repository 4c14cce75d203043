//! The directory of CTranslate2's `model.bin`: a header, then variables one after the other, then
//! names that mean the same variables.
//!
//! Source: OpenNMT/CTranslate2 `python/ctranslate2/specs/model_spec.py`, `_serialize`.

use std::collections::BTreeMap;
use std::io::{BufRead, Seek, SeekFrom};

use super::checkpoint::{Dtype, Fault, Found, TensorInfo};

/// The only kind of model that is read.
const SPEC: &str = "TransformerSpec";
const MAX_VARIABLES: u32 = 1 << 18;

/// Names, types, shapes and places of the variables, and of their aliases, in a file of `length`
/// bytes.
pub(super) fn read(file: &mut (impl BufRead + Seek), length: u64) -> Result<Vec<Found>, Fault> {
    let version = number(file, 4)?;
    if !(4..=6).contains(&version) {
        let what = format!("it is of version {version}; versions 4 to 6 of model.bin are read");
        return Err(Fault::Damaged(what));
    }
    let spec = text(file)?;
    if spec != SPEC {
        let what = format!("it is a {spec}; a {SPEC} is expected");
        return Err(Fault::Damaged(what));
    }
    let _revision = number(file, 4)?;
    let count = number(file, 4)?;
    if count > u64::from(MAX_VARIABLES) {
        return Err("it has too many variables".into());
    }
    let mut found: Vec<Found> = Vec::new();
    let mut places = BTreeMap::new();
    for _ in 0..count {
        let name = text(file)?;
        let rank = number(file, 1)?;
        let mut shape = Vec::new();
        for _ in 0..rank {
            let size = number(file, 4)?;
            shape.push(usize::try_from(size).map_err(|_| "a variable is too long")?);
        }
        let dtype = match number(file, 1)? {
            0 => Dtype::F32,
            1 => Dtype::I8,
            2 => Dtype::I16,
            3 => Dtype::I32,
            4 => Dtype::F16,
            5 => Dtype::Bf16,
            other => {
                let what = format!("variable '{name}' is of the unknown type {other}");
                return Err(Fault::Damaged(what));
            }
        };
        let size = number(file, 4)?;
        let offset = file.stream_position()?;
        let fits = TensorInfo::sizes(dtype, &shape).is_some_and(|(_, bytes)| {
            bytes == size && offset.checked_add(size).is_some_and(|end| end <= length)
        });
        if !fits {
            let what = format!("variable '{name}' does not lie in the file as its shape says");
            return Err(Fault::Damaged(what));
        }
        file.seek(SeekFrom::Start(offset + size))?;
        places.insert(name.clone(), found.len());
        found.push((name, dtype, shape, offset));
    }
    let aliases = number(file, 4)?;
    if aliases > u64::from(MAX_VARIABLES) {
        return Err("it has too many aliases".into());
    }
    for _ in 0..aliases {
        let (alias, name) = (text(file)?, text(file)?);
        let place = places.get(&name).and_then(|&at| found.get(at)).cloned();
        let Some((_, dtype, shape, offset)) = place else {
            let what = format!("'{alias}' stands for '{name}', which it has not");
            return Err(Fault::Damaged(what));
        };
        found.push((alias, dtype, shape, offset));
    }
    Ok(found)
}

fn number(file: &mut impl BufRead, size: usize) -> Result<u64, Fault> {
    let mut bytes = [0u8; 8];
    file.read_exact(&mut bytes[..size])?;
    Ok(u64::from_le_bytes(bytes))
}

/// A string with its length, the zero at its end included.
fn text(file: &mut impl BufRead) -> Result<String, Fault> {
    let size = number(file, 2)?;
    let mut bytes = vec![0u8; usize::try_from(size).unwrap_or(0)];
    file.read_exact(&mut bytes)?;
    if bytes.pop() != Some(0) {
        return Err("a name in it has no end".into());
    }
    String::from_utf8(bytes).map_err(|_| "a name in it is not UTF-8".into())
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    fn model() -> Vec<u8> {
        let mut out = 6u32.to_le_bytes().to_vec();
        let text = |out: &mut Vec<u8>, text: &str| {
            out.extend(u16::try_from(text.len() + 1).unwrap().to_le_bytes());
            out.extend(text.as_bytes());
            out.push(0);
        };
        text(&mut out, "TransformerSpec");
        out.extend(7u32.to_le_bytes());
        out.extend(1u32.to_le_bytes());
        text(&mut out, "w");
        out.push(2);
        out.extend([2u32.to_le_bytes(), 3u32.to_le_bytes()].concat());
        out.push(4);
        out.extend(12u32.to_le_bytes());
        out.extend([9; 12]);
        out.extend(1u32.to_le_bytes());
        text(&mut out, "head");
        text(&mut out, "w");
        out
    }

    fn parse(bytes: &[u8]) -> Result<Vec<Found>, Fault> {
        read(&mut Cursor::new(bytes), bytes.len() as u64)
    }

    #[test]
    fn finds_variables_and_their_aliases() {
        let bytes = model();
        let found = parse(&bytes).unwrap();
        let at = bytes.windows(12).position(|w| w == [9; 12]).unwrap() as u64;
        assert_eq!(found[0], ("w".to_owned(), Dtype::F16, vec![2, 3], at));
        assert_eq!(found[1], ("head".to_owned(), Dtype::F16, vec![2, 3], at));
    }

    #[test]
    fn fails_when_cut_off_or_scrambled() {
        let bytes = model();
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
