//! The only code that prints: results on stdout, everything else on stderr.

use std::io::{self, IsTerminal, Write};

use tracing_subscriber::filter::LevelFilter;

/// Prints results, notes and errors.
#[derive(Clone, Copy, Debug)]
pub struct Printer {
    quiet: bool,
    verbose: u8,
    colour: bool,
}

impl Printer {
    /// A printer for these verbosity flags; colours only on a terminal without `NO_COLOR`.
    #[must_use]
    pub fn new(quiet: bool, verbose: u8) -> Self {
        let no_colour = std::env::var_os("NO_COLOR").is_some_and(|v| !v.is_empty());
        Self {
            quiet,
            verbose,
            colour: !no_colour && io::stderr().is_terminal(),
        }
    }

    /// Nothing but results is wanted.
    #[must_use]
    pub fn is_quiet(&self) -> bool {
        self.quiet
    }

    /// Routes `tracing` events of the library to stderr.
    pub fn init_tracing(&self) {
        let level = match (self.quiet, self.verbose) {
            (true, _) => LevelFilter::ERROR,
            (false, 0) => LevelFilter::WARN,
            (false, 1) => LevelFilter::INFO,
            (false, _) => LevelFilter::DEBUG,
        };
        // A second initialisation (tests in one process) keeps the first.
        let _ = tracing_subscriber::fmt()
            .with_max_level(level)
            .with_writer(io::stderr)
            .with_ansi(self.colour)
            .without_time()
            .with_target(false)
            .try_init();
    }

    /// Writes bytes of a result to stdout.
    ///
    /// # Errors
    /// When stdout is closed or full.
    pub fn result_bytes(&self, bytes: &[u8]) -> io::Result<()> {
        let mut out = io::stdout().lock();
        out.write_all(bytes)?;
        out.flush()
    }

    /// Writes one line of a result to stdout.
    ///
    /// # Errors
    /// When stdout is closed or full.
    pub fn result(&self, line: &str) -> io::Result<()> {
        let mut out = io::stdout().lock();
        out.write_all(line.as_bytes())?;
        out.write_all(b"\n")?;
        out.flush()
    }

    /// A note for people, on stderr; dropped by `-q`.
    pub fn note(&self, line: &str) {
        if !self.quiet {
            let _ = writeln!(io::stderr().lock(), "{line}");
        }
    }

    /// Asks on stderr and reads one line of stdin; `None` where there is none.
    ///
    /// The caller has made sure that both are a terminal.
    pub fn ask(&self, question: &str) -> Option<String> {
        let mut err = io::stderr().lock();
        err.write_all(question.as_bytes())
            .and_then(|()| err.flush())
            .ok()?;
        let mut line = String::new();
        let read = io::stdin().read_line(&mut line).ok()?;
        (read > 0).then_some(line)
    }

    /// A line for programs on stderr, also with `-q`.
    pub fn machine_note(&self, line: &str) {
        let _ = writeln!(io::stderr().lock(), "{line}");
    }

    /// An error with its causes and its way out.
    pub fn error(&self, error: &anyhow::Error, hint: Option<&str>) {
        let mut err = io::stderr().lock();
        let (red, cyan, off) = if self.colour {
            ("\x1b[1;31m", "\x1b[36m", "\x1b[0m")
        } else {
            ("", "", "")
        };
        let _ = writeln!(err, "{red}error{off}: {error}");
        let mut last = error.to_string();
        for cause in error.chain().skip(1) {
            let text = cause.to_string();
            // Many error types repeat their source in their own message.
            if !last.contains(&text) {
                let _ = writeln!(err, "  because: {text}");
            }
            last = text;
        }
        if let Some(hint) = hint {
            let _ = writeln!(err, "  {cyan}try{off}: {hint}");
        }
    }
}
