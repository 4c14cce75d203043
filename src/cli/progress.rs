//! Progress of a run on stderr: a bar on a terminal, else a plain line now and then, or JSON.

use std::io::{self, IsTerminal};
use std::time::Duration;

use clap::ValueEnum;
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use super::printer::Printer;
use crate::run::Snapshot;
use crate::run::manifest::Stopwatch;

/// How progress is told.
#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProgressKind {
    /// A bar on a terminal, else plain lines
    Auto,
    /// One line at most every 5 s
    Plain,
    /// One JSON object a line, at most one a second
    Json,
    /// Nothing
    None,
}

/// Tells how far a run is.
pub struct Progress {
    printer: Printer,
    form: Form,
    last: Option<Stopwatch>,
}

enum Form {
    Bar(ProgressBar),
    Plain,
    Json,
    None,
}

#[derive(Serialize)]
struct JsonLine {
    done: u64,
    failed: u64,
    words_per_s: f64,
    seconds: f64,
    read: Option<f64>,
    eta_s: Option<f64>,
}

impl Progress {
    /// Progress of this kind; `-q` silences bars and plain lines.
    #[must_use]
    pub fn new(kind: ProgressKind, printer: Printer) -> Self {
        let form = match kind {
            ProgressKind::Json => Form::Json,
            ProgressKind::None => Form::None,
            _ if printer.is_quiet() => Form::None,
            ProgressKind::Auto if io::stderr().is_terminal() => Form::Bar(bar()),
            ProgressKind::Auto | ProgressKind::Plain => Form::Plain,
        };
        Self {
            printer,
            form,
            last: None,
        }
    }

    /// Takes note of a snapshot and tells of it when it is time.
    pub fn tell(&mut self, now: &Snapshot) {
        let pause = match &self.form {
            Form::Bar(_) => Duration::ZERO,
            Form::Json => Duration::from_secs(1),
            Form::Plain => Duration::from_secs(5),
            Form::None => return,
        };
        if self.last.is_some_and(|last| last.elapsed() < pause) {
            return;
        }
        self.last = Some(Stopwatch::start());
        match &self.form {
            Form::Bar(bar) => {
                bar.set_position((now.read.unwrap_or(0.0) * 1000.0) as u64);
                bar.set_message(text(now));
            }
            Form::Plain => self.printer.note(&text(now)),
            Form::Json => self.json(now),
            Form::None => {}
        }
    }

    fn json(&self, now: &Snapshot) {
        let line = JsonLine {
            done: now.done,
            failed: now.failed,
            words_per_s: speed(now),
            seconds: now.seconds,
            read: now.read,
            eta_s: eta_s(now),
        };
        if let Ok(line) = serde_json::to_string(&line) {
            self.printer.machine_note(&line);
        }
    }

    /// Takes the bar away.
    pub fn finish(&self) {
        if let Form::Bar(bar) = &self.form {
            bar.finish_and_clear();
        }
    }
}

fn bar() -> ProgressBar {
    let bar = ProgressBar::new(1000);
    if let Ok(style) = ProgressStyle::with_template("{bar:24} {percent:>3} %  {msg}") {
        bar.set_style(style);
    }
    bar
}

fn speed(now: &Snapshot) -> f64 {
    now.words as f64 / now.seconds.max(1e-3)
}

/// Seconds that are left, if the rest of the input takes as long as what this call has read of it.
fn eta_s(now: &Snapshot) -> Option<f64> {
    let (read, start) = (now.read?, now.read_at_start?);
    let share = read - start;
    (share > 0.0 && read < 1.0).then(|| now.seconds * (1.0 - read) / share)
}

fn text(now: &Snapshot) -> String {
    let mut text = format!("{} done", now.done);
    if now.failed > 0 {
        text.push_str(&format!(", {} failed", now.failed));
    }
    text.push_str(&format!(", {:.0} words/s", speed(now)));
    if let Some(eta) = eta_s(now) {
        let minutes = (eta / 60.0).ceil() as u64;
        text.push_str(&match minutes {
            0..=1 => format!(", {eta:.0} s left"),
            2..=119 => format!(", {minutes} min left"),
            _ => format!(", {} h {:02} min left", minutes / 60, minutes % 60),
        });
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_the_time_left_plausible() {
        let half = Snapshot {
            done: 3,
            failed: 1,
            words: 200,
            seconds: 100.0,
            read: Some(0.6),
            read_at_start: Some(0.2),
        };
        assert_eq!(text(&half), "3 done, 1 failed, 2 words/s, 2 min left");
        assert_eq!(eta_s(&Snapshot::default()), None);
    }
}
