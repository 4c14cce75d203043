//! Input as a lazy stream of articles: one in memory at a time, however many there are.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use sha2::{Digest as _, Sha256};

use super::ids::{Ids, digest, hex};
use super::record::{RecordError, Source};
use super::walk::{Exclude, Found, Packing, Walk, is_jsonl, kind_of};
use crate::article::jsonl::{FieldMap, parse_line};
use crate::article::{Article, DecodeError, read_bytes};
use crate::disk::lines::{Line, read_line};

/// What to read.
#[derive(Clone)]
pub struct Input {
    /// Files, folders, or `-` for JSONL on standard input.
    pub paths: Vec<PathBuf>,
    /// Articles and lines larger than this are error records.
    pub max_bytes: usize,
    /// Names of the fields of JSON lines.
    pub fields: FieldMap,
    /// The output file, which is no input where it lies in an input folder.
    pub output: Option<PathBuf>,
    /// A folder of outputs, likewise.
    pub text_dir: Option<PathBuf>,
}

/// One article of the input, or what is wrong with it.
#[derive(Debug)]
pub struct Item {
    /// Position in the whole input, from 0, errors counted.
    pub index: u64,
    /// Its id, unlike that of any other item except `duplicate_id` errors.
    pub id: String,
    /// Where it came from.
    pub source: Source,
    /// The article.
    pub content: Result<Article, RecordError>,
    /// Bytes that it took.
    pub bytes: usize,
}

/// A failure that stops the run; what is written stays, the same command goes on later.
#[derive(Debug, thiserror::Error)]
#[error("cannot read {path}{}", .line.map(|n| format!(" after line {n}")).unwrap_or_default())]
pub struct InputError {
    /// The file.
    pub path: PathBuf,
    /// Lines read of it.
    pub line: Option<u64>,
    /// What the system said.
    #[source]
    pub source: io::Error,
}

impl Input {
    pub(crate) fn exclude(&self) -> Exclude {
        let real = |path: &PathBuf| {
            let parent = path.parent().filter(|p| !p.as_os_str().is_empty());
            let parent = parent.unwrap_or(Path::new(".")).canonicalize().ok()?;
            Some(parent.join(path.file_name()?))
        };
        Exclude {
            output: self.output.as_ref().and_then(real),
            folder: self.text_dir.as_ref().and_then(real),
        }
    }

    /// Looks whether every path is there.
    ///
    /// # Errors
    /// Which one is not, or cannot be looked at.
    pub fn check(&self) -> Result<(), InputError> {
        for path in self.paths.iter().filter(|path| path.as_os_str() != "-") {
            std::fs::metadata(path).map_err(|source| InputError {
                path: path.clone(),
                line: None,
                source,
            })?;
        }
        Ok(())
    }

    /// The articles; `bytes_read` counts the bytes of files that have been read, packed.
    #[must_use]
    pub fn items(&self, bytes_read: Arc<AtomicU64>) -> Items {
        Items {
            input: self.clone(),
            next_path: 0,
            walk: None,
            lines: None,
            ids: Ids::default(),
            next_index: 0,
            bytes_read,
            buffer: Vec::new(),
        }
    }
}

/// The lazy stream of [`Input::items`].
pub struct Items {
    input: Input,
    next_path: usize,
    walk: Option<Walk>,
    lines: Option<OpenLines>,
    ids: Ids,
    next_index: u64,
    bytes_read: Arc<AtomicU64>,
    buffer: Vec<u8>,
}

struct OpenLines {
    path: PathBuf,
    reader: Box<dyn BufRead + Send>,
    number: u64,
}

/// Content with what an id is made of where none is given.
struct Raw {
    source: Source,
    content: Result<Article, RecordError>,
    bytes: usize,
    digest: [u8; 32],
    /// The id that the input gives, also where it gives no article.
    id: Option<String>,
}

impl Iterator for Items {
    type Item = Result<Item, InputError>;

    fn next(&mut self) -> Option<Self::Item> {
        let raw = match self.next_raw()? {
            Ok(raw) => raw,
            Err(e) => return Some(Err(e)),
        };
        let Raw {
            source,
            mut content,
            bytes,
            digest,
            id,
        } = raw;
        let given = id.filter(|id| !id.is_empty());
        let id = match given {
            Some(id) => {
                if !self.ids.take(&id) {
                    content = Err(RecordError::new(
                        "duplicate_id",
                        format!("the id {id:?} has come before"),
                    ));
                }
                id
            }
            None => self.ids.make(&digest),
        };
        let index = self.next_index;
        self.next_index += 1;
        Some(Ok(Item {
            index,
            id,
            source,
            content,
            bytes,
        }))
    }
}

impl Items {
    fn next_raw(&mut self) -> Option<Result<Raw, InputError>> {
        loop {
            if let Some(mut open) = self.lines.take() {
                match self.next_line(&mut open) {
                    Some(Err(InputError { source, .. })) if is_damage(&source) => {
                        let what =
                            format!("the file is damaged after line {}: {source}", open.number);
                        return Some(Ok(failed(&open.path, Some(open.number + 1), what)));
                    }
                    Some(result) => {
                        self.lines = Some(open);
                        return Some(result);
                    }
                    None => {}
                }
            }
            match self.next_file()? {
                Found::Failed(path, e) => {
                    let what = format!("the folder cannot be listed: {}", e.kind());
                    return Some(Ok(failed(&path, None, what)));
                }
                Found::File(path) => match self.open(&path) {
                    Ok(reader) if path.as_os_str() == "-" || is_jsonl(&path) => {
                        self.lines = Some(OpenLines {
                            path,
                            reader,
                            number: 0,
                        });
                    }
                    Ok(reader) => return Some(Ok(self.whole(&path, reader))),
                    Err(e) => {
                        let what = format!("the file cannot be opened: {}", e.kind());
                        return Some(Ok(failed(&path, None, what)));
                    }
                },
            }
        }
    }

    fn next_file(&mut self) -> Option<Found> {
        loop {
            if let Some(found) = self.walk.as_mut().and_then(Iterator::next) {
                return Some(found);
            }
            let path = self.input.paths.get(self.next_path)?.clone();
            self.next_path += 1;
            if path.as_os_str() == "-" {
                return Some(Found::File(path));
            }
            self.walk = Some(Walk::new(&path, self.input.exclude()));
        }
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn BufRead + Send>> {
        if path.as_os_str() == "-" {
            return Ok(Box::new(BufReader::with_capacity(1 << 16, io::stdin())));
        }
        let file = Counted {
            file: File::open(path)?,
            count: Arc::clone(&self.bytes_read),
        };
        let file = BufReader::with_capacity(1 << 16, file);
        Ok(match kind_of(path).0 {
            Packing::Plain => Box::new(file),
            Packing::Gzip => Box::new(BufReader::new(flate2::bufread::MultiGzDecoder::new(file))),
            Packing::Zstd => Box::new(BufReader::new(zstd::Decoder::with_buffer(file)?)),
        })
    }

    fn next_line(&mut self, open: &mut OpenLines) -> Option<Result<Raw, InputError>> {
        let max = self.input.max_bytes;
        loop {
            let mut hash = Sha256::new();
            // The id of a line that gives no article is made of its bytes, also those beyond the limit.
            let line = read_line(&mut open.reader, &mut self.buffer, max, |piece| {
                hash.update(piece);
            });
            let line = match line {
                Ok(None) => return None,
                Ok(Some(line)) => line,
                Err(source) => {
                    let (path, line) = (open.path.clone(), Some(open.number));
                    return Some(Err(InputError { path, line, source }));
                }
            };
            open.number += 1;
            let mut bytes = self.buffer.as_slice();
            if open.number == 1 {
                bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
            }
            let source = Source {
                path: name_of(&open.path),
                line: Some(open.number),
            };
            let mut id = None;
            let content = match line {
                Line::TooLong { bytes } => Err(RecordError::new(
                    "too_large",
                    format!("the line has {bytes} bytes, --max-bytes allows {max}"),
                )),
                // A blank line is no article.
                Line::Whole { .. } if bytes.trim_ascii().is_empty() => continue,
                Line::Whole { .. } => parse_line(bytes, &self.input.fields).map_err(|e| {
                    id = e.id;
                    RecordError::new(e.kind.name(), e.message)
                }),
            };
            let digest = match &content {
                Ok(article) => digest(article.text().as_bytes()),
                Err(_) => hash.finalize().into(),
            };
            if let Ok(article) = &content {
                id = article.id.clone();
            }
            return Some(Ok(Raw {
                source,
                content,
                bytes: bytes.len(),
                digest,
                id,
            }));
        }
    }

    fn whole(&self, path: &Path, reader: Box<dyn BufRead + Send>) -> Raw {
        let max = self.input.max_bytes;
        let mut bytes = Vec::new();
        if let Err(e) = reader.take(max as u64 + 1).read_to_end(&mut bytes) {
            return failed(path, None, format!("the file cannot be read: {}", e.kind()));
        }
        let source = Source {
            path: name_of(path),
            line: None,
        };
        let content = if bytes.len() > max {
            Err(RecordError::new(
                "too_large",
                format!("the file has more bytes than the {max} that --max-bytes allows"),
            ))
        } else {
            // The name without a packing's suffix tells text, Markdown and HTML apart.
            let inner = match kind_of(path).0 {
                Packing::Plain => source.path.as_str(),
                _ => source.path.rsplit_once('.').map_or("", |(stem, _)| stem),
            };
            read_bytes(inner, &bytes).map_err(|e| unread(&e))
        };
        let digest = match &content {
            Ok(article) => digest(article.text().as_bytes()),
            Err(_) => digest(&bytes),
        };
        Raw {
            source,
            content,
            bytes: bytes.len(),
            digest,
            id: None,
        }
    }
}

fn unread(error: &DecodeError) -> RecordError {
    let kind = match error {
        DecodeError::DamagedUtf8 { .. } | DecodeError::DamagedUtf16 => "invalid_utf8",
        DecodeError::Binary { .. } => "no_text",
    };
    RecordError::new(kind, error.to_string())
}

/// Packed data that does not unpack stays so; other failures may pass.
fn is_damage(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput | io::ErrorKind::UnexpectedEof
    ) || (error.kind() == io::ErrorKind::Other && error.raw_os_error().is_none())
}

fn failed(path: &Path, line: Option<u64>, message: String) -> Raw {
    let source = Source {
        path: name_of(path),
        line,
    };
    let digest = digest(source.path.as_bytes());
    Raw {
        source,
        content: Err(RecordError::new("read_failed", message)),
        bytes: 0,
        digest,
        id: None,
    }
}

fn name_of(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

struct Counted {
    file: File,
    count: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(buffer)?;
        self.count.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}

/// What an input is made of, cheaply: enough to notice that it is not the one of the first call.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct InputPrint {
    /// The path as given.
    pub path: String,
    /// Files.
    pub files: u64,
    /// Bytes of all files, packed.
    pub bytes: u64,
    /// SHA-256 over names, sizes, beginnings and ends of all files.
    pub digest: String,
}

/// Bytes of a file's beginning and end that its print covers.
const EDGE: u64 = 1 << 16;

impl InputPrint {
    /// Looks at every file of `path`.
    ///
    /// # Errors
    /// When the path itself does not exist or cannot be read.
    pub fn of(input: &Input, path: &Path) -> Result<Self, InputError> {
        let (mut files, mut bytes, mut hash) = (0, 0, Sha256::new());
        if path.as_os_str() != "-" {
            let error = |source| InputError {
                path: path.to_path_buf(),
                line: None,
                source,
            };
            let kind = std::fs::metadata(path).map_err(error)?.file_type();
            if !kind.is_file() && !kind.is_dir() {
                let why = "it is a pipe or a device, and a run that can go on later reads its \
                           input twice; give `-` and pipe it in, or write it to a file first";
                return Err(error(io::Error::new(io::ErrorKind::InvalidInput, why)));
            }
            for found in Walk::new(path, input.exclude()) {
                let Found::File(file) = found else { continue };
                files += 1;
                hash.update(file.as_os_str().as_encoded_bytes());
                match edges(&file, &mut hash) {
                    Ok(size) => bytes += size,
                    Err(e) if file == path => return Err(error(e)),
                    Err(_) => hash.update(b"\0unreadable\0"),
                }
            }
        }
        Ok(Self {
            path: name_of(path),
            files,
            bytes,
            digest: hex(&hash.finalize()),
        })
    }
}

fn edges(path: &Path, hash: &mut Sha256) -> io::Result<u64> {
    use std::io::{Seek as _, SeekFrom};
    let mut file = File::open(path)?;
    let size = file.metadata()?.len();
    hash.update(size.to_le_bytes());
    let mut buffer = Vec::new();
    (&mut file).take(EDGE).read_to_end(&mut buffer)?;
    if size > EDGE {
        file.seek(SeekFrom::Start(EDGE.max(size.saturating_sub(EDGE))))?;
        file.take(EDGE).read_to_end(&mut buffer)?;
    }
    hash.update(&buffer);
    Ok(size)
}
