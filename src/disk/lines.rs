//! Lines of a file that may be hostile: no line takes more memory than allowed.

use std::io::{self, BufRead};

/// What one line was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Line {
    /// It is in the buffer, without its line break.
    Whole {
        /// A line break ended it; `false` only for the last line of a file.
        ended: bool,
    },
    /// It passed the limit and was skipped; the buffer holds its beginning.
    TooLong {
        /// Bytes of the line.
        bytes: u64,
    },
}

/// Reads the next line into `buffer` (cleared first), at most `max_bytes` of it.
///
/// `seen` is given every byte of the line, also those beyond the limit. Lines end at `\n`; one
/// `\r` before it is dropped from the buffer.
///
/// # Errors
/// What the reader says; what was read of the line before is lost.
pub fn read_line(
    reader: &mut impl BufRead,
    buffer: &mut Vec<u8>,
    max_bytes: usize,
    mut seen: impl FnMut(&[u8]),
) -> io::Result<Option<Line>> {
    buffer.clear();
    let mut total = 0_u64;
    let mut ended = false;
    while !ended {
        let chunk = match reader.fill_buf() {
            Ok(chunk) => chunk,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
            Err(e) => return Err(e),
        };
        if chunk.is_empty() {
            if total == 0 {
                return Ok(None);
            }
            break;
        }
        let end = chunk.iter().position(|&b| b == b'\n');
        ended = end.is_some();
        let piece = &chunk[..end.unwrap_or(chunk.len())];
        seen(piece);
        total += piece.len() as u64;
        // One byte more than allowed: a trailing `\r` does not count.
        let room = (max_bytes + 1)
            .saturating_sub(buffer.len())
            .min(piece.len());
        buffer.extend_from_slice(&piece[..room]);
        let used = piece.len() + usize::from(ended);
        reader.consume(used);
    }
    if buffer.last() == Some(&b'\r') && buffer.len() as u64 == total {
        buffer.pop();
        total -= 1;
    }
    if total > max_bytes as u64 {
        buffer.truncate(max_bytes);
        return Ok(Some(Line::TooLong { bytes: total }));
    }
    Ok(Some(Line::Whole { ended }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(text: &str, max: usize, capacity: usize) -> Vec<(String, Line)> {
        let mut reader = io::BufReader::with_capacity(capacity, text.as_bytes());
        let (mut buffer, mut out) = (Vec::new(), Vec::new());
        while let Some(line) = read_line(&mut reader, &mut buffer, max, |_| ()).unwrap() {
            out.push((String::from_utf8(buffer.clone()).unwrap(), line));
        }
        out
    }

    #[test]
    fn keeps_every_line_at_any_buffer_size() {
        for capacity in [1, 2, 3, 64] {
            let lines = all("ab\r\n\nabcdef\nabcd\r\nlast", 4, capacity);
            let whole = Line::Whole { ended: true };
            let expected = [
                ("ab", whole),
                ("", whole),
                ("abcd", Line::TooLong { bytes: 6 }),
                ("abcd", whole),
                ("last", Line::Whole { ended: false }),
            ];
            assert_eq!(
                lines,
                expected.map(|(s, l)| (s.to_owned(), l)),
                "capacity {capacity}"
            );
        }
    }
}
