//! Files of the input in order: named ones as they come, folders in byte order of their paths.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// A file to read, or a folder that could not be read.
#[derive(Debug)]
pub(crate) enum Found {
    /// A file.
    File(PathBuf),
    /// A file or folder whose listing failed.
    Failed(PathBuf, io::Error),
}

/// Walks one input path; only the listings of the folders on the way are in memory.
#[derive(Debug)]
pub(crate) struct Walk {
    /// Folders being walked, each with what is left of it, last first.
    stack: Vec<(PathBuf, Vec<OsString>)>,
    /// What is not input: the run's own output (as a prefix of file names) and folders.
    exclude: Exclude,
    first: Option<PathBuf>,
}

/// What a walk leaves out.
#[derive(Clone, Debug, Default)]
pub(crate) struct Exclude {
    /// Canonical path of the output; files beside it whose names begin with it are its own.
    pub(crate) output: Option<PathBuf>,
    /// Canonical path of a folder of outputs.
    pub(crate) folder: Option<PathBuf>,
}

const EXTENSIONS: [&str; 9] = [
    "txt", "text", "md", "markdown", "html", "htm", "xhtml", "jsonl", "ndjson",
];

impl Walk {
    pub(crate) fn new(path: &Path, exclude: Exclude) -> Self {
        Self {
            stack: Vec::new(),
            exclude,
            first: Some(path.to_path_buf()),
        }
    }

    fn list(&mut self, folder: PathBuf) -> Result<(), (PathBuf, io::Error)> {
        let mut names = Vec::new();
        let entries = fs::read_dir(&folder).map_err(|e| (folder.clone(), e))?;
        for entry in entries {
            let entry = entry.map_err(|e| (folder.clone(), e))?;
            let mut name = entry.file_name();
            if name.as_encoded_bytes().starts_with(b".") {
                continue;
            }
            // A folder sorts as its files' paths do: `a.txt` comes before `a/b`.
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                name.push("/");
            }
            names.push(name);
        }
        names.sort_unstable_by(|a, b| b.as_encoded_bytes().cmp(a.as_encoded_bytes()));
        self.stack.push((folder, names));
        Ok(())
    }

    fn excluded(&self, path: &Path) -> bool {
        let Ok(path) = path.canonicalize() else {
            return false;
        };
        if self
            .exclude
            .folder
            .as_ref()
            .is_some_and(|folder| path.starts_with(folder))
        {
            return true;
        }
        let own = |output: &PathBuf| {
            path.as_os_str()
                .as_encoded_bytes()
                .starts_with(output.as_os_str().as_encoded_bytes())
        };
        self.exclude.output.as_ref().is_some_and(own) || is_output(&path)
    }
}

/// Another run's output (it has a run manifest beside it) is no input of a folder.
fn is_output(path: &Path) -> bool {
    let name = path.as_os_str().as_encoded_bytes();
    name.ends_with(b".run.json")
        || (name.ends_with(b".jsonl") && super::manifest::path_of(path).is_file())
}

impl Iterator for Walk {
    type Item = Found;

    fn next(&mut self) -> Option<Found> {
        if let Some(first) = self.first.take() {
            if !first.is_dir() {
                return Some(Found::File(first));
            }
            if let Err((path, e)) = self.list(first) {
                return Some(Found::Failed(path, e));
            }
        }
        loop {
            let (folder, names) = self.stack.last_mut()?;
            let Some(name) = names.pop() else {
                self.stack.pop();
                continue;
            };
            let bytes = name.as_encoded_bytes();
            let is_folder = bytes.ends_with(b"/");
            let path = folder.join(Path::new(&name).components().as_path());
            if is_folder {
                if self.excluded(&path) {
                    continue;
                }
                if let Err((path, e)) = self.list(path) {
                    return Some(Found::Failed(path, e));
                }
            } else if kind_of(&path).1 && path.is_file() && !self.excluded(&path) {
                return Some(Found::File(path));
            }
        }
    }
}

/// How the bytes of a file are packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Packing {
    Plain,
    Gzip,
    Zstd,
}

/// The packing of a file by its name, and whether a folder's walk takes it.
pub(crate) fn kind_of(path: &Path) -> (Packing, bool) {
    let (packing, inner) = match extension(path).as_str() {
        "gz" => (
            Packing::Gzip,
            Path::new(path.file_stem().unwrap_or_default()),
        ),
        "zst" => (
            Packing::Zstd,
            Path::new(path.file_stem().unwrap_or_default()),
        ),
        _ => (Packing::Plain, path),
    };
    (packing, EXTENSIONS.contains(&extension(inner).as_str()))
}

/// Whether a file holds one article a line.
pub(crate) fn is_jsonl(path: &Path) -> bool {
    let inner = match kind_of(path).0 {
        Packing::Plain => path,
        _ => Path::new(path.file_stem().unwrap_or_default()),
    };
    matches!(extension(inner).as_str(), "jsonl" | "ndjson")
}

fn extension(path: &Path) -> String {
    path.extension()
        .unwrap_or_default()
        .to_string_lossy()
        .to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_byte_order_of_paths_and_leaves_outputs_out() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        for path in [
            "a/b.txt",
            "a.txt",
            "a/c/d.html",
            "B.md",
            "x.jsonl",
            "x.jsonl.run.json",
        ] {
            let path = root.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::File::create(path).unwrap();
        }
        for path in [
            "pic.png",
            ".hidden.txt",
            "own.jsonl",
            "ar/z.txt",
            "é.jsonl.gz",
        ] {
            let path = root.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::File::create(path).unwrap();
        }
        let real = root.canonicalize().unwrap();
        let exclude = Exclude {
            output: Some(real.join("own.jsonl")),
            folder: Some(real.join("ar")),
        };
        let found: Vec<String> = Walk::new(root, exclude)
            .map(|found| match found {
                Found::File(path) => path.strip_prefix(root).unwrap().display().to_string(),
                Found::Failed(path, e) => panic!("{}: {e}", path.display()),
            })
            .collect();
        assert_eq!(
            found,
            ["B.md", "a.txt", "a/b.txt", "a/c/d.html", "é.jsonl.gz"]
        );
    }
}
