//! Exit codes, and the one place where an error becomes one.

use std::io;
use std::process::ExitCode;

use super::printer::Printer;

/// How the program ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// 0: all done.
    Done,
    /// 2: usage or bad input that stops the start.
    Usage,
    /// 3: finished, some articles failed.
    SomeFailed,
    /// 4: a failure worth retrying (network, disk full).
    Retry,
    /// 5: a model that fails verification or does not load.
    Model,
    /// 6: stopped by `--deadline` or `--limit`, resumable.
    Stopped,
    /// 130: interrupted, resumable.
    Interrupted,
    /// 143: terminated, resumable.
    Terminated,
}

impl Exit {
    /// The number that the shell sees.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Usage => 2,
            Self::SomeFailed => 3,
            Self::Retry => 4,
            Self::Model => 5,
            Self::Stopped => 6,
            Self::Interrupted => 130,
            Self::Terminated => 143,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// An error that carries its exit code; put it anywhere in an `anyhow` chain.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// The code to end with.
    pub exit: Exit,
    /// What failed, where and why.
    pub message: String,
    /// What to do next.
    pub hint: Option<String>,
}

impl Failure {
    /// A usage error with a way out.
    pub fn usage(message: impl Into<String>, hint: impl Into<String>) -> anyhow::Error {
        Self {
            exit: Exit::Usage,
            message: message.into(),
            hint: Some(hint.into()),
        }
        .into()
    }
}

/// The exit code of an error, from the first known kind in its chain.
#[must_use]
pub fn code_of(error: &anyhow::Error) -> Exit {
    for cause in error.chain() {
        if let Some(failure) = cause.downcast_ref::<Failure>() {
            return failure.exit;
        }
        if let Some(io) = cause.downcast_ref::<io::Error>() {
            return match io.kind() {
                io::ErrorKind::BrokenPipe => Exit::Done,
                io::ErrorKind::StorageFull
                | io::ErrorKind::QuotaExceeded
                | io::ErrorKind::TimedOut
                | io::ErrorKind::ConnectionRefused
                | io::ErrorKind::ConnectionReset => Exit::Retry,
                _ => Exit::Usage,
            };
        }
    }
    Exit::Usage
}

/// Prints an error with its causes and its way out; a closed pipe is no error.
pub fn report(error: &anyhow::Error, printer: &Printer) -> Exit {
    let exit = code_of(error);
    if exit == Exit::Done {
        return exit;
    }
    let hint = error.chain().find_map(|cause| {
        cause
            .downcast_ref::<Failure>()
            .and_then(|f| f.hint.as_deref())
    });
    printer.error(error, hint);
    exit
}
