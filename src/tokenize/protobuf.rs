//! Just enough of the protobuf wire format to read a sentencepiece model.

use super::spm::SpmError;

/// One field of a message.
pub(super) enum Field<'a> {
    /// Varint.
    Int(u64),
    /// Four bytes.
    Fixed32([u8; 4]),
    /// Eight bytes, of no use to us.
    Fixed64,
    /// String, bytes or message.
    Bytes(&'a [u8]),
}

/// Iterates over the fields of a message.
pub(super) struct Message<'a>(&'a [u8]);

impl<'a> Message<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    fn varint(&mut self) -> Result<u64, SpmError> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let (&byte, rest) = self.0.split_first().ok_or(SpmError::Truncated)?;
            self.0 = rest;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(SpmError::Invalid("a number is too long"))
    }

    fn take(&mut self, count: u64) -> Result<&'a [u8], SpmError> {
        let count = usize::try_from(count).map_err(|_| SpmError::Truncated)?;
        let (head, rest) = self.0.split_at_checked(count).ok_or(SpmError::Truncated)?;
        self.0 = rest;
        Ok(head)
    }

    fn field(&mut self) -> Result<(u64, Field<'a>), SpmError> {
        let key = self.varint()?;
        let field = match key & 7 {
            0 => Field::Int(self.varint()?),
            1 => {
                self.take(8)?;
                Field::Fixed64
            }
            2 => {
                let length = self.varint()?;
                Field::Bytes(self.take(length)?)
            }
            5 => {
                let raw = self.take(4)?;
                Field::Fixed32([raw[0], raw[1], raw[2], raw[3]])
            }
            _ => return Err(SpmError::Invalid("a field has an unknown wire type")),
        };
        Ok((key >> 3, field))
    }
}

impl<'a> Iterator for Message<'a> {
    type Item = Result<(u64, Field<'a>), SpmError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let field = self.field();
        if field.is_err() {
            self.0 = &[];
        }
        Some(field)
    }
}
