//! Checkpoints of named tensors as the hub keeps them: safetensors (one file, or shards with an
//! index) and PyTorch's zip files (one, or shards with an index).
//!
//! Opening reads names, shapes and places alone; every size is checked against the file before
//! anything is allocated. Values are read when asked for, a few rows at a time if need be.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use half::{bf16, f16};

use super::{ctranslate2, pickle, safetensors};

/// Most tensors of a checkpoint.
const MAX_TENSORS: usize = 1 << 18;

/// Element types that tarjama reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dtype {
    /// 32-bit floats.
    F32,
    /// 16-bit floats of IEEE 754.
    F16,
    /// The upper half of 32-bit floats.
    Bf16,
    /// Signed bytes.
    I8,
    /// Signed integers of two bytes.
    I16,
    /// Signed integers of four bytes.
    I32,
    /// Anything else: known by its size, never read.
    Other(usize),
}

impl Dtype {
    /// Bytes of a value.
    #[must_use]
    pub fn size(self) -> usize {
        match self {
            Self::F32 | Self::I32 => 4,
            Self::F16 | Self::Bf16 | Self::I16 => 2,
            Self::I8 => 1,
            Self::Other(size) => size,
        }
    }
}

/// Where a tensor lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TensorInfo {
    /// Index of its file.
    pub(super) file: usize,
    /// Byte offset of its first value in the file.
    pub(super) offset: u64,
    /// Type of its values.
    pub dtype: Dtype,
    /// Its shape, outermost first.
    pub shape: Vec<usize>,
}

impl TensorInfo {
    /// Number of values and of bytes, where they are countable.
    pub(super) fn sizes(dtype: Dtype, shape: &[usize]) -> Option<(usize, u64)> {
        let count = shape.iter().try_fold(1usize, |n, &d| n.checked_mul(d))?;
        let bytes = count.checked_mul(dtype.size())?;
        Some((count, u64::try_from(bytes).ok()?))
    }
}

/// Why a checkpoint cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CheckpointError {
    /// A file cannot be read.
    #[error("cannot read {path}", path = path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A file is not as its format says.
    #[error("{path} is damaged or of another kind: {what}", path = path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// There is no checkpoint in the directory.
    #[error("there is no *.safetensors, pytorch_model.bin or index of them in {path}", path = .0.display())]
    None(PathBuf),
    /// A tensor that the architecture needs is not there.
    #[error("the checkpoint has no tensor '{0}'")]
    Missing(String),
    /// A tensor has another shape than the configuration says.
    #[error("tensor '{name}' has the shape {found:?}, where the configuration asks for {wanted:?}")]
    Shape {
        /// The tensor.
        name: String,
        /// Its shape.
        found: Vec<usize>,
        /// The right one.
        wanted: Vec<usize>,
    },
    /// A tensor's values are of a type that is not read.
    #[error("tensor '{0}' holds neither float32, float16, bfloat16 nor int8")]
    Dtype(String),
    /// A tensor that the architecture does not know.
    #[error("the checkpoint has a tensor '{0}' that the architecture of config.json does not know")]
    Extra(String),
}

/// A checkpoint whose tensors can be read.
#[derive(Debug)]
pub struct Checkpoint {
    files: Vec<(PathBuf, Mutex<File>)>,
    tensors: BTreeMap<String, TensorInfo>,
}

/// Kinds of checkpoint files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// safetensors.
    Safetensors,
    /// PyTorch's zip file.
    Pickle,
    /// CTranslate2's `model.bin`.
    Ctranslate2,
}

/// Names, types and shapes of the tensors in the bytes of a file, whose values all lie within it.
///
/// # Errors
/// When the bytes are not of this format; the path in the error is empty.
pub fn inspect(
    format: Format,
    bytes: &[u8],
) -> Result<Vec<(String, Dtype, Vec<usize>)>, CheckpointError> {
    let length = bytes.len() as u64;
    let mut file = std::io::Cursor::new(bytes);
    let found = match format {
        Format::Safetensors => safetensors::read(&mut file, length),
        Format::Pickle => pickle::read(&mut file, length),
        Format::Ctranslate2 => ctranslate2::read(&mut file, length),
    };
    let found = found.map_err(|e| e.at(Path::new("")))?;
    let place = |(name, dtype, shape, offset): Found| {
        let end = TensorInfo::sizes(dtype, &shape).and_then(|(_, size)| offset.checked_add(size));
        debug_assert!(end.is_some_and(|end| end <= length));
        (name, dtype, shape)
    };
    Ok(found.into_iter().map(place).collect())
}

/// What a format's reader gives: a name, and all of [`TensorInfo`] but the file.
pub(super) type Found = (String, Dtype, Vec<usize>, u64);

impl Checkpoint {
    /// Opens the checkpoint in a directory of Hugging Face's layout; safetensors before PyTorch.
    ///
    /// # Errors
    /// When there is none, or its files are unreadable or damaged.
    pub fn open(dir: &Path) -> Result<Self, CheckpointError> {
        for (single, index) in [
            ("model.safetensors", "model.safetensors.index.json"),
            ("pytorch_model.bin", "pytorch_model.bin.index.json"),
        ] {
            if dir.join(single).is_file() {
                return Self::from_files(&[dir.join(single)]);
            }
            let index = dir.join(index);
            if index.is_file() {
                return Self::from_files(&shards(dir, &index)?);
            }
        }
        Err(CheckpointError::None(dir.to_owned()))
    }

    /// Opens files that together are a checkpoint.
    ///
    /// # Errors
    /// When one is unreadable or damaged, or two hold a tensor of the same name.
    pub fn from_files(paths: &[PathBuf]) -> Result<Self, CheckpointError> {
        let mut checkpoint = Self {
            files: Vec::new(),
            tensors: BTreeMap::new(),
        };
        for path in paths {
            let read = |source| CheckpointError::Read {
                path: path.clone(),
                source,
            };
            let mut file = File::open(path).map_err(read)?;
            let length = file.metadata().map_err(read)?.len();
            let found = if path.extension().is_some_and(|e| e == "safetensors") {
                safetensors::read(&mut file, length)
            } else {
                pickle::read(&mut file, length)
            };
            let found = found.map_err(|e| e.at(path))?;
            checkpoint.add(path, file, found)?;
        }
        Ok(checkpoint)
    }

    /// Opens CTranslate2's `model.bin`.
    ///
    /// # Errors
    /// When it is unreadable, damaged, or of another kind.
    pub fn ctranslate2(path: &Path) -> Result<Self, CheckpointError> {
        let read = |source| CheckpointError::Read {
            path: path.to_owned(),
            source,
        };
        let file = File::open(path).map_err(read)?;
        let length = file.metadata().map_err(read)?.len();
        let mut reader = std::io::BufReader::new(&file);
        let found = ctranslate2::read(&mut reader, length).map_err(|e| e.at(path))?;
        let mut checkpoint = Self {
            files: Vec::new(),
            tensors: BTreeMap::new(),
        };
        checkpoint.add(path, file, found)?;
        Ok(checkpoint)
    }

    /// The one value of a tensor without dimensions, where there is one.
    #[must_use]
    pub fn scalar(&self, name: &str) -> Option<f32> {
        let mut out = Vec::new();
        self.read_rows(name, 0..1, &mut out).ok()?;
        out.first().copied()
    }

    fn add(&mut self, path: &Path, file: File, found: Vec<Found>) -> Result<(), CheckpointError> {
        let damaged = |what: String| CheckpointError::Damaged {
            path: path.to_owned(),
            what,
        };
        if self.tensors.len() + found.len() > MAX_TENSORS {
            return Err(damaged("it has too many tensors".to_owned()));
        }
        for (name, dtype, shape, offset) in found {
            let info = TensorInfo {
                file: self.files.len(),
                offset,
                dtype,
                shape,
            };
            if self.tensors.insert(name.clone(), info).is_some() {
                return Err(damaged(format!("tensor '{name}' comes twice")));
            }
        }
        self.files.push((path.to_owned(), Mutex::new(file)));
        Ok(())
    }

    /// Names of all tensors, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.tensors.keys().map(String::as_str)
    }

    /// A tensor's place, type and shape.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&TensorInfo> {
        self.tensors.get(name)
    }

    /// The files.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        self.files.iter().map(|(path, _)| path.as_path())
    }

    /// Two names of the same values.
    #[must_use]
    pub fn same_place(&self, a: &str, b: &str) -> bool {
        matches!((self.get(a), self.get(b)), (Some(a), Some(b)) if a == b)
    }

    /// Reads `rows` of a tensor (of its outermost dimension) as floats, in the place of what is in
    /// `out`.
    ///
    /// # Errors
    /// When there is no such tensor, or not so many rows, or reading fails.
    pub fn read_rows(
        &self,
        name: &str,
        rows: Range<usize>,
        out: &mut Vec<f32>,
    ) -> Result<(), CheckpointError> {
        let mut bytes = Vec::new();
        let dtype = self.read_bytes(name, rows, &mut bytes)?;
        out.clear();
        match dtype {
            Dtype::F32 => out.extend(
                bytes
                    .chunks_exact(4)
                    .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])),
            ),
            Dtype::F16 => out.extend(
                bytes
                    .chunks_exact(2)
                    .map(|b| f16::from_le_bytes([b[0], b[1]]).to_f32()),
            ),
            Dtype::Bf16 => out.extend(
                bytes
                    .chunks_exact(2)
                    .map(|b| bf16::from_le_bytes([b[0], b[1]]).to_f32()),
            ),
            Dtype::I8 => out.extend(bytes.iter().map(|b| f32::from(b.cast_signed()))),
            Dtype::I16 => out.extend(
                bytes
                    .chunks_exact(2)
                    .map(|b| f32::from(i16::from_le_bytes([b[0], b[1]]))),
            ),
            Dtype::I32 => out.extend(
                bytes
                    .chunks_exact(4)
                    .map(|b| i32::from_le_bytes([b[0], b[1], b[2], b[3]]) as f32),
            ),
            Dtype::Other(_) => return Err(CheckpointError::Dtype(name.to_owned())),
        }
        Ok(())
    }

    /// Reads the bytes of `rows` of a tensor, in the place of what is in `out`.
    ///
    /// # Errors
    /// When there is no such tensor, or not so many rows, or reading fails.
    pub fn read_bytes(
        &self,
        name: &str,
        rows: Range<usize>,
        out: &mut Vec<u8>,
    ) -> Result<Dtype, CheckpointError> {
        let missing = || CheckpointError::Missing(name.to_owned());
        let info = self.get(name).ok_or_else(missing)?;
        let (path, file) = self.files.get(info.file).ok_or_else(missing)?;
        let height = info.shape.first().copied().unwrap_or(1);
        let width: usize = info.shape.iter().skip(1).product::<usize>() * info.dtype.size();
        if rows.end > height || rows.start > rows.end {
            return Err(missing());
        }
        let read = |source| CheckpointError::Read {
            path: path.clone(),
            source,
        };
        out.resize((rows.end - rows.start) * width, 0);
        let start = info.offset + (rows.start * width) as u64;
        let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
        file.seek(SeekFrom::Start(start)).map_err(read)?;
        file.read_exact(out).map_err(read)?;
        Ok(info.dtype)
    }
}

/// The shards that an index names, each once, all of them in the directory itself.
fn shards(dir: &Path, index: &Path) -> Result<Vec<PathBuf>, CheckpointError> {
    #[derive(serde::Deserialize)]
    struct Index {
        weight_map: BTreeMap<String, String>,
    }
    let bytes = std::fs::read(index).map_err(|source| CheckpointError::Read {
        path: index.to_owned(),
        source,
    })?;
    let damaged = |what: String| CheckpointError::Damaged {
        path: index.to_owned(),
        what,
    };
    let parsed: Index = serde_json::from_slice(&bytes).map_err(|e| damaged(e.to_string()))?;
    let mut names: Vec<&String> = parsed.weight_map.values().collect();
    names.sort();
    names.dedup();
    if let Some(name) = names
        .iter()
        .find(|n| n.contains(['/', '\\']) || n.starts_with('.'))
    {
        return Err(damaged(format!(
            "it names a file outside its directory: '{name}'"
        )));
    }
    Ok(names.into_iter().map(|n| dir.join(n)).collect())
}

/// What is wrong with a file whose path the reader does not know.
#[derive(Debug)]
pub(super) enum Fault {
    Io(std::io::Error),
    Damaged(String),
}

impl Fault {
    pub(super) fn at(self, path: &Path) -> CheckpointError {
        let path = path.to_owned();
        match self {
            Self::Io(source) => CheckpointError::Read { path, source },
            Self::Damaged(what) => CheckpointError::Damaged { path, what },
        }
    }
}

impl From<std::io::Error> for Fault {
    fn from(error: std::io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<&str> for Fault {
    fn from(what: &str) -> Self {
        Self::Damaged(what.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const FORMATS: [(Format, &str); 3] = [
        (Format::Safetensors, "marian-one/model.safetensors"),
        (Format::Pickle, "marian/pytorch_model.bin"),
        (Format::Ctranslate2, "ct2-marian-int8/model.bin"),
    ];

    fn fixture(name: &str) -> Vec<u8> {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/encdec");
        std::fs::read(dir.join(name)).unwrap()
    }

    /// What holds of every answer, right or wrong.
    fn check(format: Format, bytes: &[u8]) {
        for (name, dtype, shape) in inspect(format, bytes).unwrap_or_default() {
            let count = shape.iter().product::<usize>();
            assert!(count * dtype.size() <= bytes.len(), "{name}: {shape:?}");
        }
    }

    #[test]
    fn finds_every_tensor_of_real_files() {
        for (format, name) in FORMATS {
            let found = inspect(format, &fixture(name)).unwrap();
            assert!(found.len() > 50, "{name}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            for (format, _) in FORMATS {
                check(format, &bytes);
            }
        }

        #[test]
        fn changed_files_are_read_or_refused(
            changes in proptest::collection::vec((any::<u32>(), any::<u8>(), any::<bool>()), 1..6),
            cut in any::<u32>(),
        ) {
            for (format, name) in FORMATS {
                let mut bytes = fixture(name);
                let length = bytes.len();
                for &(at, value, end) in &changes {
                    // Where the directories of the formats lie.
                    let at = at as usize % 4096;
                    bytes[if end { length - 1 - at } else { at }] = value;
                }
                check(format, &bytes);
                bytes.truncate(cut as usize % length);
                check(format, &bytes);
            }
        }
    }
}
