//! PyTorch's zip checkpoints, read without running anything.
//!
//! A checkpoint is a zip archive of stored (uncompressed) entries: `*/data.pkl`, a pickle of the
//! state dictionary, and `*/data/N`, the bytes of each storage. The reader of the pickle knows the
//! few opcodes that such a dictionary is written with and the few names that it may use; any other
//! name is refused, and no name is ever called.
//!
//! Source: python/cpython `Lib/pickletools.py`; pytorch/pytorch `torch/serialization.py`.

use std::collections::BTreeMap;
use std::io::{Read, Seek, SeekFrom};

use super::checkpoint::{Dtype, Fault, Found, TensorInfo};

/// Longest pickle: names and shapes of a quarter of a million tensors.
const MAX_PICKLE: u64 = 1 << 28;
/// Most values of a pickle, for the same tensors: one byte of it makes one of them.
const MAX_VALUES: usize = 1 << 23;
/// Longest key of a storage; they are numbers.
const MAX_KEY: usize = 256;
/// Most dimensions of a tensor.
const MAX_AXES: usize = 16;
/// Longest central directory.
const MAX_DIRECTORY: u64 = 1 << 28;

/// Names, types, shapes and places of the tensors in a file of `length` bytes.
pub(super) fn read(file: &mut (impl Read + Seek), length: u64) -> Result<Vec<Found>, Fault> {
    let entries = directory(file, length)?;
    let root = entries
        .keys()
        .find_map(|name| name.strip_suffix("data.pkl"))
        .ok_or("it has no data.pkl; files of PyTorch before 1.6 are not read")?
        .to_owned();
    let (start, size) = entries[&format!("{root}data.pkl")];
    if size > MAX_PICKLE {
        return Err("its data.pkl is too long".into());
    }
    if let Some(&(at, size)) = entries.get(&format!("{root}byteorder")) {
        let order = bytes_at(file, at, size.min(16))?;
        if order != b"little" {
            return Err("its values are not little-endian".into());
        }
    }
    let pickle = bytes_at(file, start, size)?;
    let mut found = Vec::new();
    for (name, tensor) in state_dict(&pickle)? {
        let place = entries.get(&format!("{root}data/{}", tensor.storage));
        let size = tensor.dtype.size() as u64;
        let offset = tensor.offset.checked_mul(size);
        let fits = match (
            place,
            offset,
            TensorInfo::sizes(tensor.dtype, &tensor.shape),
        ) {
            (Some(&(start, room)), Some(offset), Some((_, bytes)))
                if offset.checked_add(bytes).is_some_and(|end| end <= room) =>
            {
                start + offset
            }
            _ => {
                let what = format!("tensor '{name}' does not lie in the file as its shape says");
                return Err(Fault::Damaged(what));
            }
        };
        found.push((name, tensor.dtype, tensor.shape, fits));
    }
    Ok(found)
}

fn bytes_at(file: &mut (impl Read + Seek), start: u64, size: u64) -> Result<Vec<u8>, Fault> {
    file.seek(SeekFrom::Start(start))?;
    let mut bytes = vec![0u8; usize::try_from(size).map_err(|_| "an entry is too long")?];
    file.read_exact(&mut bytes)?;
    Ok(bytes)
}

fn number(bytes: &[u8], at: usize, size: usize) -> Result<u64, Fault> {
    let slice = bytes.get(at..at + size).ok_or("it is cut off")?;
    Ok(slice.iter().rev().fold(0, |n, &b| n << 8 | u64::from(b)))
}

/// Start and size of each stored entry of a zip file.
fn directory(
    file: &mut (impl Read + Seek),
    length: u64,
) -> Result<BTreeMap<String, (u64, u64)>, Fault> {
    let tail = length.min(22 + 65_535);
    let end = bytes_at(file, length - tail, tail)?;
    let mark = end
        .windows(4)
        .rposition(|w| w == [0x50, 0x4b, 5, 6])
        .ok_or("it is no zip file; files of PyTorch before 1.6 are not read")?;
    if end.len() - mark < 22 {
        return Err("its end is cut off".into());
    }
    let (mut count, mut size, mut start) = (
        number(&end, mark + 10, 2)?,
        number(&end, mark + 12, 4)?,
        number(&end, mark + 16, 4)?,
    );
    if let Some(locator) = mark.checked_sub(20)
        && end.get(locator..locator + 4) == Some(&[0x50, 0x4b, 6, 7])
    {
        let at = number(&end, locator + 8, 8)?;
        if at.checked_add(56).is_none_or(|end| end > length) {
            return Err("its directory lies outside the file".into());
        }
        let long = bytes_at(file, at, 56)?;
        count = number(&long, 32, 8)?;
        size = number(&long, 40, 8)?;
        start = number(&long, 48, 8)?;
    }
    if size > MAX_DIRECTORY || start.checked_add(size).is_none_or(|end| end > length) {
        return Err("its directory lies outside the file".into());
    }
    let list = bytes_at(file, start, size)?;
    let mut entries = BTreeMap::new();
    let mut at = 0;
    for _ in 0..count {
        if list.get(at..at + 4) != Some(&[0x50, 0x4b, 1, 2]) {
            return Err("its directory is damaged".into());
        }
        let method = number(&list, at + 10, 2)?;
        let mut place = [
            number(&list, at + 24, 4)?,
            number(&list, at + 20, 4)?,
            number(&list, at + 42, 4)?,
        ];
        let [name, extra, comment] = [28, 30, 32].map(|i| number(&list, at + i, 2));
        let (name, extra, comment) = (name? as usize, extra? as usize, comment? as usize);
        let text = list
            .get(at + 46..at + 46 + name)
            .ok_or("its directory is cut off")?;
        let text = std::str::from_utf8(text).map_err(|_| "a name in it is not UTF-8")?;
        let more = list
            .get(at + 46 + name..at + 46 + name + extra)
            .ok_or("its directory is cut off")?;
        zip64(more, &mut place)?;
        let [size, packed, header] = place;
        if method != 0 || size != packed {
            return Err(Fault::Damaged(format!("'{text}' in it is compressed")));
        }
        if header.checked_add(30).is_none_or(|end| end > length) {
            return Err(Fault::Damaged(format!(
                "'{text}' in it lies outside the file"
            )));
        }
        let local = bytes_at(file, header, 30)?;
        let start = header + 30 + number(&local, 26, 2)? + number(&local, 28, 2)?;
        if start.checked_add(size).is_none_or(|end| end > length) {
            return Err(Fault::Damaged(format!(
                "'{text}' in it lies outside the file"
            )));
        }
        entries.insert(text.to_owned(), (start, size));
        at += 46 + name + extra + comment;
    }
    Ok(entries)
}

/// Puts the 64-bit numbers of an extra field in the place of those that are all ones.
fn zip64(extra: &[u8], place: &mut [u64; 3]) -> Result<(), Fault> {
    let mut at = 0;
    while at + 4 <= extra.len() {
        let (id, size) = (number(extra, at, 2)?, number(extra, at + 2, 2)? as usize);
        if id == 1 {
            let mut from = at + 4;
            for value in place.iter_mut().filter(|v| **v == 0xffff_ffff) {
                *value = number(extra, from, 8)?;
                from += 8;
            }
        }
        at += 4 + size;
    }
    Ok(())
}

/// A view of a storage.
#[derive(Clone, Debug, PartialEq)]
struct Tensor {
    storage: String,
    dtype: Dtype,
    offset: u64,
    shape: Vec<usize>,
    contiguous: bool,
}

/// A value on the stack: small ones as they are, others by their place in the heap.
#[derive(Clone, Debug, PartialEq)]
enum Value {
    None,
    Bool,
    Int(i64),
    Text(String),
    /// Module and name, of the list of known ones.
    Global(Global),
    Tuple(Vec<usize>),
    List(Vec<usize>),
    Dict(Vec<(usize, usize)>),
    Storage(Dtype, String),
    Tensor(Tensor),
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Global {
    Dict,
    Tensor,
    Parameter,
    Storage(Dtype),
}

impl Global {
    fn find(module: &str, name: &str) -> Result<Self, Fault> {
        Ok(match (module, name) {
            ("collections", "OrderedDict") => Self::Dict,
            ("torch._utils", "_rebuild_tensor_v2") => Self::Tensor,
            ("torch._utils", "_rebuild_parameter") => Self::Parameter,
            ("torch", "FloatStorage") => Self::Storage(Dtype::F32),
            ("torch", "HalfStorage") => Self::Storage(Dtype::F16),
            ("torch", "BFloat16Storage") => Self::Storage(Dtype::Bf16),
            ("torch", "CharStorage") => Self::Storage(Dtype::I8),
            ("torch", "ByteStorage" | "BoolStorage") => Self::Storage(Dtype::Other(1)),
            ("torch", "ShortStorage") => Self::Storage(Dtype::Other(2)),
            ("torch", "IntStorage") => Self::Storage(Dtype::Other(4)),
            ("torch", "LongStorage" | "DoubleStorage") => Self::Storage(Dtype::Other(8)),
            _ => {
                let what = format!("it asks for '{module}.{name}', which no checkpoint needs");
                return Err(Fault::Damaged(what));
            }
        })
    }
}

/// The tensors of a pickled state dictionary, in its order.
fn state_dict(pickle: &[u8]) -> Result<Vec<(String, Tensor)>, Fault> {
    let mut machine = Machine {
        input: pickle,
        heap: Vec::new(),
        stack: Vec::new(),
        marks: Vec::new(),
        memo: BTreeMap::new(),
    };
    let root = machine.run()?;
    let Value::Dict(items) = &machine.heap[root] else {
        return Err("its pickle is no dictionary of tensors".into());
    };
    let mut tensors = Vec::new();
    for &(key, value) in items {
        let Value::Text(name) = &machine.heap[key] else {
            return Err("its dictionary has a key that is no name".into());
        };
        let Value::Tensor(tensor) = &machine.heap[value] else {
            let what = format!("'{name}' is no tensor; a state dictionary is expected");
            return Err(Fault::Damaged(what));
        };
        if !tensor.contiguous {
            let what = format!("tensor '{name}' is a strided view; save it contiguous");
            return Err(Fault::Damaged(what));
        }
        tensors.push((name.clone(), tensor.clone()));
    }
    Ok(tensors)
}

/// The pickle machine. Every opcode makes at most one value, so the input bounds the heap.
struct Machine<'a> {
    input: &'a [u8],
    heap: Vec<Value>,
    stack: Vec<usize>,
    marks: Vec<usize>,
    memo: BTreeMap<usize, usize>,
}

const CUT: &str = "its pickle is cut off";
const ODD: &str = "its pickle is no dictionary of tensors";

impl<'a> Machine<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], Fault> {
        let (head, rest) = self.input.split_at_checked(count).ok_or(CUT)?;
        self.input = rest;
        Ok(head)
    }

    fn int(&mut self, size: usize) -> Result<usize, Fault> {
        let n = number(self.take(size)?, 0, size)?;
        usize::try_from(n).map_err(|_| Fault::from(ODD))
    }

    fn line(&mut self) -> Result<&'a str, Fault> {
        let end = self.input.iter().position(|&b| b == b'\n').ok_or(CUT)?;
        let line = self.take(end + 1)?;
        std::str::from_utf8(&line[..end]).map_err(|_| ODD.into())
    }

    fn text(&mut self, size: usize) -> Result<(), Fault> {
        let text = std::str::from_utf8(self.take(size)?)
            .map_err(|_| ODD)?
            .to_owned();
        self.push(Value::Text(text));
        Ok(())
    }

    fn push(&mut self, value: Value) {
        self.stack.push(self.heap.len());
        self.heap.push(value);
    }

    fn pop(&mut self) -> Result<usize, Fault> {
        // What lies under a mark belongs to the mark.
        if self.stack.len() <= self.marks.last().copied().unwrap_or(0) {
            return Err(ODD.into());
        }
        self.stack.pop().ok_or_else(|| ODD.into())
    }

    fn top(&self) -> Result<usize, Fault> {
        self.stack.last().copied().ok_or_else(|| ODD.into())
    }

    fn since_mark(&mut self) -> Result<Vec<usize>, Fault> {
        let mark = self.marks.pop().ok_or(ODD)?;
        Ok(self.stack.split_off(mark.min(self.stack.len())))
    }

    fn tuple(&mut self, count: usize) -> Result<(), Fault> {
        let mut items = Vec::new();
        for _ in 0..count {
            items.push(self.pop()?);
        }
        items.reverse();
        self.push(Value::Tuple(items));
        Ok(())
    }

    fn set(&mut self, items: &[usize]) -> Result<(), Fault> {
        let top = self.top()?;
        let Value::Dict(dict) = &mut self.heap[top] else {
            return Err(ODD.into());
        };
        if !items.len().is_multiple_of(2) {
            return Err(ODD.into());
        }
        dict.extend(items.chunks_exact(2).map(|pair| (pair[0], pair[1])));
        Ok(())
    }

    fn append(&mut self, items: Vec<usize>) -> Result<(), Fault> {
        let top = self.top()?;
        let Value::List(list) = &mut self.heap[top] else {
            return Err(ODD.into());
        };
        list.extend(items);
        Ok(())
    }

    fn run(&mut self) -> Result<usize, Fault> {
        loop {
            if self.heap.len() > MAX_VALUES {
                return Err("its pickle has too many values".into());
            }
            match self.take(1)?[0] {
                0x80 => drop(self.take(1)?),
                0x95 => drop(self.take(8)?),
                b'.' => return self.pop(),
                b'}' => self.push(Value::Dict(Vec::new())),
                b']' => self.push(Value::List(Vec::new())),
                b')' => self.push(Value::Tuple(Vec::new())),
                b'N' => self.push(Value::None),
                0x88 | 0x89 => self.push(Value::Bool),
                b'(' => self.marks.push(self.stack.len()),
                b'K' => {
                    let n = self.int(1)? as i64;
                    self.push(Value::Int(n));
                }
                b'M' => {
                    let n = self.int(2)? as i64;
                    self.push(Value::Int(n));
                }
                b'J' => {
                    let b = self.take(4)?;
                    let n = i32::from_le_bytes([b[0], b[1], b[2], b[3]]);
                    self.push(Value::Int(n.into()));
                }
                0x8a => {
                    let size = self.int(1)?;
                    let n = number(self.take(size)?, 0, size.min(8))?;
                    self.push(Value::Int(i64::try_from(n).map_err(|_| ODD)?));
                }
                b'G' => {
                    self.take(8)?;
                    self.push(Value::None);
                }
                b'X' => {
                    let size = self.int(4)?;
                    self.text(size)?;
                }
                0x8c => {
                    let size = self.int(1)?;
                    self.text(size)?;
                }
                b'q' => {
                    let key = self.int(1)?;
                    self.memo.insert(key, self.top()?);
                }
                b'r' => {
                    let key = self.int(4)?;
                    self.memo.insert(key, self.top()?);
                }
                0x94 => {
                    self.memo.insert(self.memo.len(), self.top()?);
                }
                b'h' => {
                    let key = self.int(1)?;
                    self.stack.push(*self.memo.get(&key).ok_or(ODD)?);
                }
                b'j' => {
                    let key = self.int(4)?;
                    self.stack.push(*self.memo.get(&key).ok_or(ODD)?);
                }
                b'c' => {
                    let (module, name) = (self.line()?, self.line()?);
                    let global = Global::find(module, name)?;
                    self.push(Value::Global(global));
                }
                0x93 => {
                    let (name, module) = (self.pop()?, self.pop()?);
                    let (Value::Text(module), Value::Text(name)) =
                        (&self.heap[module], &self.heap[name])
                    else {
                        return Err(ODD.into());
                    };
                    let global = Global::find(module, name)?;
                    self.push(Value::Global(global));
                }
                b't' => {
                    let items = self.since_mark()?;
                    self.push(Value::Tuple(items));
                }
                code @ 0x85..=0x87 => self.tuple(usize::from(code) - 0x84)?,
                b's' => {
                    let (value, key) = (self.pop()?, self.pop()?);
                    self.set(&[key, value])?;
                }
                b'u' => {
                    let items = self.since_mark()?;
                    self.set(&items)?;
                }
                b'a' => {
                    let item = self.pop()?;
                    self.append(vec![item])?;
                }
                b'e' => {
                    let items = self.since_mark()?;
                    self.append(items)?;
                }
                b'Q' => {
                    let id = self.pop()?;
                    let storage = self.storage(id)?;
                    self.push(storage);
                }
                b'R' => {
                    let (arguments, function) = (self.pop()?, self.pop()?);
                    let value = self.reduce(function, arguments)?;
                    self.push(value);
                }
                // The state of a dictionary (its `_metadata`) means nothing to us.
                b'b' => drop(self.pop()?),
                other => {
                    let what = format!("its pickle uses opcode {other:#x}, which none needs");
                    return Err(Fault::Damaged(what));
                }
            }
        }
    }

    fn items(&self, tuple: usize) -> Result<Vec<&Value>, Fault> {
        match &self.heap[tuple] {
            Value::Tuple(items) => Ok(items.iter().map(|&i| &self.heap[i]).collect()),
            _ => Err(ODD.into()),
        }
    }

    /// `("storage", type, key, device, size)`.
    fn storage(&self, id: usize) -> Result<Value, Fault> {
        match self.items(id)?[..] {
            [
                Value::Text(kind),
                Value::Global(Global::Storage(dtype)),
                Value::Text(key),
                _,
                _,
            ] if kind == "storage" && key.len() <= MAX_KEY => {
                Ok(Value::Storage(*dtype, key.clone()))
            }
            _ => Err(ODD.into()),
        }
    }

    fn sizes(&self, value: &Value) -> Result<Vec<usize>, Fault> {
        let Value::Tuple(items) = value else {
            return Err(ODD.into());
        };
        if items.len() > MAX_AXES {
            return Err(ODD.into());
        }
        items
            .iter()
            .map(|&i| match self.heap[i] {
                Value::Int(n) => usize::try_from(n).map_err(|_| ODD.into()),
                _ => Err(ODD.into()),
            })
            .collect()
    }

    /// What a known function makes of its arguments.
    fn reduce(&self, function: usize, arguments: usize) -> Result<Value, Fault> {
        let Value::Global(global) = self.heap[function] else {
            return Err(ODD.into());
        };
        match (global, &self.items(arguments)?[..]) {
            (Global::Dict, []) => Ok(Value::Dict(Vec::new())),
            (Global::Parameter, [Value::Tensor(tensor), ..]) => Ok(Value::Tensor(tensor.clone())),
            (
                Global::Tensor,
                [
                    Value::Storage(dtype, key),
                    Value::Int(offset),
                    shape,
                    strides,
                    ..,
                ],
            ) => {
                let (shape, strides) = (self.sizes(shape)?, self.sizes(strides)?);
                let mut step = 1usize;
                let mut contiguous = shape.len() == strides.len();
                for (&size, &stride) in shape.iter().zip(&strides).rev() {
                    contiguous &= size <= 1 || stride == step;
                    step = step.checked_mul(size).ok_or(ODD)?;
                }
                Ok(Value::Tensor(Tensor {
                    storage: key.clone(),
                    dtype: *dtype,
                    offset: u64::try_from(*offset).map_err(|_| ODD)?,
                    shape,
                    contiguous,
                }))
            }
            _ => Err(ODD.into()),
        }
    }
}

#[cfg(test)]
#[path = "pickle/tests.rs"]
mod tests;
