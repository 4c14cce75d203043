//! GGUF: llama.cpp's container of metadata and (quantised) tensors.
//!
//! A file may come in parts that were cut at tensor boundaries; each tensor lies whole in one part.
//! Source: ggml-org/ggml `docs/gguf.md`, and the block layouts of `ggml-common.h`.

mod blocks;

use std::collections::BTreeMap;

pub use blocks::{BLOCK, Dtype};

const MAX_ITEMS: u64 = 1 << 24;
const MAX_DEPTH: u32 = 4;

/// Why a file is not a GGUF file that tarjama reads.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum GgufError {
    /// The bytes end too early.
    #[error("the GGUF file ends inside {what} (offset {offset})")]
    Truncated {
        /// What was being read.
        what: &'static str,
        /// Byte offset in the joined file.
        offset: usize,
    },
    /// Something is not as the format says.
    #[error("not a GGUF file that can be read: {0}")]
    Invalid(String),
    /// A tensor that the architecture needs is missing.
    #[error("the GGUF file has no tensor '{0}'")]
    MissingTensor(String),
    /// A metadata key that the architecture needs is missing or of another type.
    #[error("the GGUF file has no usable metadata '{0}'")]
    MissingKey(String),
}

/// A metadata value.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Any integer.
    Int(i64),
    /// Any float.
    Float(f64),
    /// A truth value.
    Bool(bool),
    /// A string.
    Text(String),
    /// An array.
    Array(Vec<Value>),
}

#[derive(Debug, Clone)]
struct TensorInfo {
    shape: Vec<usize>,
    dtype: Dtype,
    offset: usize,
    bytes: usize,
}

/// One tensor's bytes in the file.
#[derive(Debug, Clone, Copy)]
pub struct Tensor<'a> {
    /// Rows (all dimensions but the innermost, multiplied).
    pub rows: usize,
    /// Columns: the innermost dimension, contiguous.
    pub columns: usize,
    /// Element type.
    pub dtype: Dtype,
    /// Blocks of the rows, one after another.
    pub data: &'a [u8],
}

/// A parsed file over borrowed bytes.
#[derive(Debug)]
pub struct Gguf<'a> {
    metadata: BTreeMap<String, Value>,
    tensors: BTreeMap<String, TensorInfo>,
    parts: Vec<(usize, &'a [u8])>,
    data_start: usize,
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn take(&mut self, len: usize, what: &'static str) -> Result<&'a [u8], GgufError> {
        let end = self
            .at
            .checked_add(len)
            .filter(|end| *end <= self.bytes.len());
        let slice = end.and_then(|end| self.bytes.get(self.at..end));
        let slice = slice.ok_or(GgufError::Truncated {
            what,
            offset: self.at,
        })?;
        self.at += len;
        Ok(slice)
    }

    fn array<const N: usize>(&mut self, what: &'static str) -> Result<[u8; N], GgufError> {
        let slice = self.take(N, what)?;
        slice.try_into().map_err(|_| GgufError::Truncated {
            what,
            offset: self.at,
        })
    }

    fn u32(&mut self, what: &'static str) -> Result<u32, GgufError> {
        Ok(u32::from_le_bytes(self.array(what)?))
    }

    fn u64(&mut self, what: &'static str) -> Result<u64, GgufError> {
        Ok(u64::from_le_bytes(self.array(what)?))
    }

    /// A count of things that take at least `min_bytes` each in what is left of the file.
    fn count(&mut self, min_bytes: usize, what: &'static str) -> Result<usize, GgufError> {
        let count = self.u64(what)?;
        let left = self.bytes.len() - self.at;
        match usize::try_from(count) {
            Ok(n) if count <= MAX_ITEMS && n.saturating_mul(min_bytes) <= left => Ok(n),
            _ => Err(GgufError::Invalid(format!(
                "{what} says {count}, more than the file can hold"
            ))),
        }
    }

    fn text(&mut self, what: &'static str) -> Result<String, GgufError> {
        let len = self.count(1, what)?;
        String::from_utf8(self.take(len, what)?.to_vec())
            .map_err(|_| GgufError::Invalid(format!("{what} is not UTF-8")))
    }

    fn value(&mut self, kind: u32, depth: u32) -> Result<Value, GgufError> {
        let what = "metadata value";
        Ok(match kind {
            0 => Value::Int(i64::from(self.array::<1>(what)?[0])),
            1 => Value::Int(i64::from(i8::from_le_bytes(self.array(what)?))),
            2 => Value::Int(i64::from(u16::from_le_bytes(self.array(what)?))),
            3 => Value::Int(i64::from(i16::from_le_bytes(self.array(what)?))),
            4 => Value::Int(i64::from(self.u32(what)?)),
            5 => Value::Int(i64::from(i32::from_le_bytes(self.array(what)?))),
            6 => Value::Float(f64::from(f32::from_le_bytes(self.array(what)?))),
            7 => Value::Bool(self.array::<1>(what)?[0] != 0),
            8 => Value::Text(self.text(what)?),
            9 if depth < MAX_DEPTH => {
                let kind = self.u32("array type")?;
                let count = self.count(1, "array length")?;
                let mut items = Vec::new();
                for _ in 0..count {
                    items.push(self.value(kind, depth + 1)?);
                }
                Value::Array(items)
            }
            10 => Value::Int(self.u64(what)?.cast_signed()),
            11 => Value::Int(i64::from_le_bytes(self.array(what)?)),
            12 => Value::Float(f64::from_le_bytes(self.array(what)?)),
            _ => return Err(GgufError::Invalid(format!("unknown metadata type {kind}"))),
        })
    }
}

impl<'a> Gguf<'a> {
    /// Parses a file that is given whole or in parts cut at tensor boundaries; the first part holds
    /// all of the metadata.
    ///
    /// # Errors
    /// When the bytes are not a GGUF file of version 2 or 3, are cut off, state sizes that the
    /// file cannot hold, or use an element type that tarjama does not read.
    pub fn parse(parts: &[&'a [u8]]) -> Result<Self, GgufError> {
        let first = parts.first().copied().unwrap_or_default();
        let mut r = Reader {
            bytes: first,
            at: 0,
        };
        if r.take(4, "magic")? != b"GGUF" {
            return Err(GgufError::Invalid("the magic bytes are missing".into()));
        }
        let version = r.u32("version")?;
        if !(2..=3).contains(&version) {
            return Err(GgufError::Invalid(format!(
                "version {version}, known are 2 and 3"
            )));
        }
        let tensor_count = r.count(24, "tensor count")?;
        let key_count = r.count(13, "metadata count")?;
        let mut metadata = BTreeMap::new();
        for _ in 0..key_count {
            let key = r.text("metadata key")?;
            let kind = r.u32("metadata type")?;
            let value = r.value(kind, 0)?;
            metadata.insert(key, value);
        }
        let mut tensors = BTreeMap::new();
        for _ in 0..tensor_count {
            let name = r.text("tensor name")?;
            let info = tensor_info(&mut r, &name)?;
            if tensors.insert(name.clone(), info).is_some() {
                return Err(GgufError::Invalid(format!("tensor '{name}' stands twice")));
            }
        }
        let alignment = match metadata.get("general.alignment") {
            Some(Value::Int(n)) if (1..=1 << 20).contains(n) => *n as usize,
            Some(_) => return Err(GgufError::Invalid("general.alignment".into())),
            None => 32,
        };
        let mut start = 0usize;
        let mut placed = Vec::new();
        for part in parts {
            placed.push((start, *part));
            start = start.saturating_add(part.len());
        }
        Ok(Self {
            metadata,
            tensors,
            parts: placed,
            data_start: r.at.next_multiple_of(alignment),
        })
    }

    /// A metadata value.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.metadata.get(key)
    }

    /// A non-negative integer of the metadata.
    ///
    /// # Errors
    /// When it is missing, negative or not an integer.
    pub fn usize(&self, key: &str) -> Result<usize, GgufError> {
        match self.get(key) {
            Some(Value::Int(n)) => {
                usize::try_from(*n).map_err(|_| GgufError::MissingKey(key.to_owned()))
            }
            _ => Err(GgufError::MissingKey(key.to_owned())),
        }
    }

    /// A float of the metadata.
    ///
    /// # Errors
    /// When it is missing or not a float.
    pub fn float(&self, key: &str) -> Result<f32, GgufError> {
        match self.get(key) {
            Some(Value::Float(v)) => Ok(*v as f32),
            _ => Err(GgufError::MissingKey(key.to_owned())),
        }
    }

    /// A string of the metadata.
    ///
    /// # Errors
    /// When it is missing or not a string.
    pub fn text(&self, key: &str) -> Result<&str, GgufError> {
        match self.get(key) {
            Some(Value::Text(v)) => Ok(v),
            _ => Err(GgufError::MissingKey(key.to_owned())),
        }
    }

    /// A tensor by name, checked to be `[rows, columns]` and to lie whole in one part.
    ///
    /// # Errors
    /// When it is missing, of another shape, or outside the file.
    pub fn tensor(&self, name: &str, rows: usize, columns: usize) -> Result<Tensor<'a>, GgufError> {
        let info = self
            .tensors
            .get(name)
            .ok_or_else(|| GgufError::MissingTensor(name.to_owned()))?;
        let actual_columns = info.shape.first().copied().unwrap_or(1);
        let actual_rows: usize = info.shape.iter().skip(1).product();
        if (actual_rows, actual_columns) != (rows, columns) {
            return Err(GgufError::Invalid(format!(
                "tensor '{name}' is [{actual_rows}, {actual_columns}], the model needs [{rows}, {columns}]"
            )));
        }
        let start = self.data_start.saturating_add(info.offset);
        let data = self
            .parts
            .iter()
            .rev()
            .find(|(at, _)| *at <= start)
            .and_then(|(at, part)| {
                let from = start - at;
                part.get(from..from.checked_add(info.bytes)?)
            });
        let data = data.ok_or(GgufError::Truncated {
            what: "tensor data",
            offset: start,
        })?;
        Ok(Tensor {
            rows,
            columns,
            dtype: info.dtype,
            data,
        })
    }

    /// Whether there is a tensor of this name.
    #[must_use]
    pub fn has_tensor(&self, name: &str) -> bool {
        self.tensors.contains_key(name)
    }

    /// Where the last tensor ends: the file, or its parts joined, must be at least so long.
    #[must_use]
    pub fn data_end(&self) -> usize {
        let end = |info: &TensorInfo| {
            self.data_start
                .saturating_add(info.offset)
                .saturating_add(info.bytes)
        };
        self.tensors.values().map(end).max().unwrap_or(0)
    }

    /// Names of all tensors, in order.
    pub fn tensor_names(&self) -> impl Iterator<Item = &str> {
        self.tensors.keys().map(String::as_str)
    }
}

fn tensor_info(r: &mut Reader<'_>, name: &str) -> Result<TensorInfo, GgufError> {
    let invalid = |why: &str| GgufError::Invalid(format!("tensor '{name}': {why}"));
    let dims = r.u32("tensor dimensions")?;
    if !(1..=4).contains(&dims) {
        return Err(invalid("must have 1 to 4 dimensions"));
    }
    let mut shape = Vec::new();
    let mut values = 1usize;
    for _ in 0..dims {
        let dim = usize::try_from(r.u64("tensor shape")?).map_err(|_| invalid("too large"))?;
        values = values
            .checked_mul(dim)
            .ok_or_else(|| invalid("too large"))?;
        shape.push(dim);
    }
    if values == 0 {
        // Beside a zero the other dimensions could be anything.
        return Err(invalid("it has no values"));
    }
    let code = r.u32("tensor type")?;
    let dtype = Dtype::from_code(code).ok_or_else(|| {
        invalid(&format!(
            "element type {code}; tarjama reads {}",
            blocks::NAMES
        ))
    })?;
    let (block, block_bytes) = dtype.block();
    if !shape[0].is_multiple_of(block) {
        return Err(invalid("its columns are no whole number of blocks"));
    }
    let bytes = (values / block)
        .checked_mul(block_bytes)
        .ok_or_else(|| invalid("too large"))?;
    let offset = usize::try_from(r.u64("tensor offset")?).map_err(|_| invalid("too large"))?;
    Ok(TensorInfo {
        shape,
        dtype,
        offset,
        bytes,
    })
}

#[cfg(test)]
mod tests;
