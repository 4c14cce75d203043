//! Bytes to text: UTF-8, UTF-16 with a byte order mark, else Windows-1256.

use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1256};

/// Why bytes are not text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// UTF-8 but for a few bytes: damaged, not of another encoding.
    #[error("damaged UTF-8: byte {offset} is not part of a character")]
    DamagedUtf8 {
        /// Where the first bad byte is.
        offset: usize,
    },
    /// UTF-16 by its byte order mark, but not valid.
    #[error("damaged UTF-16: unpaired surrogates or half a character")]
    DamagedUtf16,
    /// Neither text encoding: zero bytes.
    #[error("not a text file: it has a zero byte at {offset}")]
    Binary {
        /// Where the first zero byte is.
        offset: usize,
    },
}

/// Decodes a text file; the flag says that the bytes were not UTF-8 and have been recoded.
///
/// # Errors
/// When the bytes are damaged UTF-8 or UTF-16, or no text at all.
pub fn decode(bytes: &[u8]) -> Result<(String, bool), DecodeError> {
    decode_as(bytes, WINDOWS_1256)
}

/// As [`decode`], with the encoding that an HTML page declares in place of Windows-1256.
///
/// # Errors
/// As [`decode`].
pub fn decode_html(bytes: &[u8]) -> Result<(String, bool), DecodeError> {
    let declared = declared_charset(&bytes[..bytes.len().min(2048)]);
    let single_byte = declared.filter(|e| *e != UTF_8 && *e != UTF_16LE && *e != UTF_16BE);
    decode_as(bytes, single_byte.unwrap_or(WINDOWS_1256))
}

fn decode_as(bytes: &[u8], fallback: &'static Encoding) -> Result<(String, bool), DecodeError> {
    if let Some((encoding, length)) = Encoding::for_bom(bytes)
        && encoding != UTF_8
    {
        let body = &bytes[length..];
        let (text, bad) = encoding.decode_without_bom_handling(body);
        if bad || body.len() % 2 == 1 {
            return Err(DecodeError::DamagedUtf16);
        }
        return Ok((text.into_owned(), true));
    }
    let body = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    let bom = bytes.len() - body.len();
    let error = match std::str::from_utf8(body) {
        Ok(text) => return Ok((text.to_owned(), false)),
        Err(error) => error,
    };
    if bom > 0 || mostly_utf8(body) {
        return Err(DecodeError::DamagedUtf8 {
            offset: bom + error.valid_up_to(),
        });
    }
    if let Some(offset) = bytes.iter().position(|&b| b == 0) {
        return Err(DecodeError::Binary { offset });
    }
    Ok((
        fallback.decode_without_bom_handling(body).0.into_owned(),
        true,
    ))
}

/// Far more characters of several bytes than bad bytes: no single-byte text looks so.
fn mostly_utf8(bytes: &[u8]) -> bool {
    let (mut good, mut bad) = (0usize, 0usize);
    for chunk in bytes.utf8_chunks() {
        good += chunk.valid().chars().filter(|c| !c.is_ascii()).count();
        bad += usize::from(!chunk.invalid().is_empty());
    }
    good >= 10 && good / 10 >= bad
}

fn declared_charset(head: &[u8]) -> Option<&'static Encoding> {
    let lower = String::from_utf8_lossy(head).to_ascii_lowercase();
    let rest = lower
        .split_once("charset=")?
        .1
        .trim_start_matches(['"', '\'', ' ']);
    let label = rest
        .split(|c: char| !c.is_ascii_alphanumeric() && c != '-' && c != '_')
        .next()?;
    Encoding::for_label(label.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_text_of_every_encoding() {
        let text = "وصل الوزير.\n";
        assert_eq!(decode(text.as_bytes()), Ok((text.to_owned(), false)));
        let bom = [b"\xEF\xBB\xBF", text.as_bytes()].concat();
        assert_eq!(decode(&bom), Ok((text.to_owned(), false)));
        let le: Vec<u8> = "\u{FEFF}"
            .encode_utf16()
            .chain(text.encode_utf16())
            .flat_map(u16::to_le_bytes)
            .collect();
        let be: Vec<u8> = "\u{FEFF}"
            .encode_utf16()
            .chain(text.encode_utf16())
            .flat_map(u16::to_be_bytes)
            .collect();
        assert_eq!(decode(&le), Ok((text.to_owned(), true)));
        assert_eq!(decode(&be), Ok((text.to_owned(), true)));
        let (old, _, _) = WINDOWS_1256.encode(text);
        assert_eq!(decode(&old), Ok((text.to_owned(), true)));
        assert_eq!(decode(b""), Ok((String::new(), false)));
    }

    #[test]
    fn fails_when_bytes_are_damaged() {
        let mut bytes = "وصل الوزير إلى بغداد".as_bytes().to_vec();
        bytes.pop();
        assert_eq!(
            decode(&bytes),
            Err(DecodeError::DamagedUtf8 {
                offset: bytes.len() - 1
            })
        );
        assert_eq!(decode(b"\xFF\xFEa"), Err(DecodeError::DamagedUtf16));
        assert_eq!(
            decode(b"\x89PNG\0\0"),
            Err(DecodeError::Binary { offset: 4 })
        );
    }

    #[test]
    fn keeps_the_declared_charset_of_a_page() {
        let page = b"<meta charset=\"iso-8859-1\"><p>caf\xE9</p>";
        let (text, recoded) = decode_html(page).unwrap();
        assert!(text.contains("café") && recoded);
    }
}
