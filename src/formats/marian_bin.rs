//! Marian's binary model file: named tensors, 8-bit ones followed by their quantisation multiplier.
//!
//! Every count and length is checked against the file before anything is allocated for it.

/// Why a file of a translation model could not be read.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum FormatError {
    /// The file ends before what it announces.
    #[error("the file ends inside {0}: it is cut off or damaged")]
    Truncated(&'static str),
    /// The file announces something that it cannot hold.
    #[error("{0}")]
    Invalid(String),
}

/// Element type of a tensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DataType {
    /// Bytes, such as the text of the embedded configuration.
    Int8,
    /// 32-bit floats.
    Float32,
    /// 8-bit weights, one row an output, with one multiplier after them.
    Intgemm8,
}

/// One tensor of a [`MarianFile`].
#[derive(Clone, Debug)]
pub struct Tensor<'a> {
    /// Name, such as `encoder_l1_self_Wq`.
    pub name: &'a str,
    /// Element type.
    pub data_type: DataType,
    /// Dimensions.
    pub shape: Vec<usize>,
    /// Raw data, padding included.
    pub data: &'a [u8],
}

impl Tensor<'_> {
    /// Number of elements by the shape.
    #[must_use]
    pub fn elements(&self) -> usize {
        self.shape.iter().product()
    }

    /// The values of a float tensor.
    ///
    /// # Errors
    /// When the tensor is not of floats.
    pub fn floats(&self) -> Result<Vec<f32>, FormatError> {
        if self.data_type != DataType::Float32 {
            return Err(self.wrong("32-bit floats"));
        }
        Ok(self
            .data
            .chunks_exact(4)
            .take(self.elements())
            .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))
            .collect())
    }

    /// The weights of an 8-bit tensor and the multiplier that quantised them.
    ///
    /// # Errors
    /// When the tensor is not of this type, or its multiplier is no positive number.
    pub fn quantised(&self) -> Result<(Vec<i8>, f32), FormatError> {
        if self.data_type != DataType::Intgemm8 {
            return Err(self.wrong("8-bit weights"));
        }
        let count = self.elements();
        let multiplier = match self.data.get(count..count + 4) {
            Some(b) => f32::from_le_bytes([b[0], b[1], b[2], b[3]]),
            None => return Err(self.wrong("weights with a multiplier")),
        };
        if !(multiplier.is_finite() && multiplier > 0.0) {
            return Err(self.wrong("weights with a positive multiplier"));
        }
        Ok((
            self.data[..count]
                .iter()
                .map(|&b| b.cast_signed())
                .collect(),
            multiplier,
        ))
    }

    fn wrong(&self, wanted: &str) -> FormatError {
        FormatError::Invalid(format!("tensor {} does not hold {wanted}", self.name))
    }
}

/// A parsed model file that borrows its data.
#[derive(Debug)]
pub struct MarianFile<'a> {
    tensors: Vec<Tensor<'a>>,
}

/// Version of the layout that this module reads.
const VERSION: u64 = 1;
/// Bytes of one tensor's header: name length, type, shape length, data length.
const HEADER: usize = 32;

impl<'a> MarianFile<'a> {
    /// Parses the headers of `bytes`.
    ///
    /// # Errors
    /// When the file is cut off, or announces what it cannot hold.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, FormatError> {
        let mut reader = Reader::new(bytes);
        let version = reader.u64("the version")?;
        if version != VERSION {
            return Err(FormatError::Invalid(format!(
                "not a Marian model: version {version} where {VERSION} is expected"
            )));
        }
        let count = reader.size("the number of tensors")?;
        if count > reader.left() / HEADER {
            return Err(FormatError::Truncated("the headers"));
        }
        let mut headers = Vec::with_capacity(count);
        for _ in 0..count {
            let name = reader.size("a header")?;
            let data_type = reader.u64("a header")?;
            headers.push((
                name,
                data_type,
                reader.size("a header")?,
                reader.size("a header")?,
            ));
        }
        let mut names = Vec::with_capacity(count);
        for header in &headers {
            let raw = reader.take(header.0, "a name")?;
            let raw = raw.strip_suffix(&[0]).unwrap_or(raw);
            let name = std::str::from_utf8(raw)
                .map_err(|_| FormatError::Invalid("a tensor's name is not UTF-8".into()))?;
            names.push(name);
        }
        let mut shapes = Vec::with_capacity(count);
        for (header, name) in headers.iter().zip(&names) {
            if header.2 > 8 {
                return Err(FormatError::Invalid(format!(
                    "tensor {name} has {} axes",
                    header.2
                )));
            }
            let mut shape = Vec::with_capacity(header.2);
            for _ in 0..header.2 {
                let raw = reader.take(4, "a shape")?;
                let axis = i32::from_le_bytes([raw[0], raw[1], raw[2], raw[3]]);
                shape.push(usize::try_from(axis).map_err(|_| {
                    FormatError::Invalid(format!("tensor {name} has a negative axis"))
                })?);
            }
            shapes.push(shape);
        }
        let padding = reader.size("the padding")?;
        reader.take(padding, "the padding")?;
        let mut tensors = Vec::with_capacity(count);
        for ((header, name), shape) in headers.into_iter().zip(names).zip(shapes) {
            let data = reader.take(header.3, "the data of a tensor")?;
            tensors.push(tensor(name, header.1, shape, data)?);
        }
        Ok(Self { tensors })
    }

    /// The tensor called `name`.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Tensor<'a>> {
        self.tensors.iter().find(|t| t.name == name)
    }

    /// The tensor called `name`.
    ///
    /// # Errors
    /// When the file has none.
    pub fn require(&self, name: &str) -> Result<&Tensor<'a>, FormatError> {
        self.get(name)
            .ok_or_else(|| FormatError::Invalid(format!("the model has no tensor {name}")))
    }

    /// All tensors in the order of the file.
    #[must_use]
    pub fn tensors(&self) -> &[Tensor<'a>] {
        &self.tensors
    }
}

fn tensor<'a>(
    name: &'a str,
    code: u64,
    shape: Vec<usize>,
    data: &'a [u8],
) -> Result<Tensor<'a>, FormatError> {
    let (data_type, size, extra) = match code {
        0x0101 => (DataType::Int8, 1, 0),
        0x0404 => (DataType::Float32, 4, 0),
        0x4101 => (DataType::Intgemm8, 1, 4),
        _ => {
            return Err(FormatError::Invalid(format!(
                "tensor {name} has type {code:#x}; only 32-bit floats and 8-bit weights are read"
            )));
        }
    };
    let needed = shape
        .iter()
        .try_fold(1usize, |product, &axis| product.checked_mul(axis))
        .and_then(|n| n.checked_mul(size))
        .and_then(|n| n.checked_add(extra));
    if needed.is_none_or(|n| n > data.len()) {
        return Err(FormatError::Invalid(format!(
            "tensor {name} is larger than its data"
        )));
    }
    Ok(Tensor {
        name,
        data_type,
        shape,
        data,
    })
}

/// A cursor that never reads past its end.
pub(crate) struct Reader<'a> {
    bytes: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }

    pub(crate) fn left(&self) -> usize {
        self.bytes.len()
    }

    pub(crate) fn take(
        &mut self,
        count: usize,
        what: &'static str,
    ) -> Result<&'a [u8], FormatError> {
        let (head, rest) = self
            .bytes
            .split_at_checked(count)
            .ok_or(FormatError::Truncated(what))?;
        self.bytes = rest;
        Ok(head)
    }

    pub(crate) fn u64(&mut self, what: &'static str) -> Result<u64, FormatError> {
        let raw = self.take(8, what)?;
        Ok(raw
            .iter()
            .rev()
            .fold(0, |value, &byte| value << 8 | u64::from(byte)))
    }

    pub(crate) fn size(&mut self, what: &'static str) -> Result<usize, FormatError> {
        usize::try_from(self.u64(what)?).map_err(|_| FormatError::Truncated(what))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(axis: i32, data_length: u64) -> Vec<u8> {
        let mut out = Vec::new();
        for value in [1u64, 1, 2, 0x4101, 1, data_length] {
            out.extend(value.to_le_bytes());
        }
        out.extend(b"W\0");
        out.extend(axis.to_le_bytes());
        out.extend(2u64.to_le_bytes());
        out.extend([0; 2]);
        out.extend([1, 255]);
        out.extend(4f32.to_le_bytes());
        out
    }

    #[test]
    fn keeps_weights_and_their_multiplier() {
        let bytes = file(2, 6);
        let model = MarianFile::parse(&bytes).unwrap();
        assert_eq!(
            model.require("W").unwrap().quantised().unwrap(),
            (vec![1, -1], 4.0)
        );
        assert!(model.require("V").is_err());
    }

    #[test]
    fn fails_when_cut_off_at_any_byte() {
        let bytes = file(2, 6);
        for end in 0..bytes.len() {
            assert!(MarianFile::parse(&bytes[..end]).is_err(), "{end}");
        }
    }

    #[test]
    fn fails_when_a_size_is_larger_than_the_file() {
        assert!(MarianFile::parse(&file(i32::MAX, 6)).is_err());
        assert!(MarianFile::parse(&file(-1, 6)).is_err());
        assert!(MarianFile::parse(&file(2, u64::MAX)).is_err());
        let mut many = file(2, 6);
        many[8..16].copy_from_slice(&u64::MAX.to_le_bytes());
        assert!(MarianFile::parse(&many).is_err());
    }
}
