//! The run manifest `OUT.jsonl.run.json`: what a run is of, how far it is, when and with what.
//!
//! This is the only file of a run with times in it, and the only module with a clock.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use super::input::InputPrint;
use super::shard::Shard;
use crate::disk::atomic::write_atomic;

/// The name of the manifest's schema.
const SCHEMA: &str = "tarjama-run/1";

/// Only what changes bytes of the output.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fingerprint {
    /// Inputs in order.
    pub inputs: Vec<InputPrint>,
    /// Options by the name of their flag.
    pub options: BTreeMap<String, String>,
    /// `ID@REVISION` of the models, by task.
    pub models: BTreeMap<String, String>,
}

impl Fingerprint {
    /// What differs from `then`, in words; `None` when nothing does.
    #[must_use]
    pub fn difference(&self, then: &Self) -> Option<String> {
        let maps = [
            ("option --", &then.options, &self.options),
            ("", &then.models, &self.models),
        ];
        for (what, then, now) in maps {
            for key in then.keys().chain(now.keys()) {
                let (old, new) = (then.get(key), now.get(key));
                if old != new {
                    let say = |v: Option<&String>| v.map_or("not given".into(), |v| v.clone());
                    let suffix = if what.is_empty() { " model" } else { "" };
                    return Some(format!(
                        "{what}{key}{suffix} was {}, is {}",
                        say(old),
                        say(new)
                    ));
                }
            }
        }
        let paths = |p: &Self| p.inputs.iter().map(|i| i.path.clone()).collect::<Vec<_>>();
        if paths(self) != paths(then) {
            let list = |p: &Self| paths(p).join(" ");
            return Some(format!("the input was {}, is {}", list(then), list(self)));
        }
        let pairs = then.inputs.iter().zip(&self.inputs);
        pairs
            .filter(|(old, new)| old != new)
            .map(|(old, new)| {
                let (path, say) = (&new.path, |p: &InputPrint| {
                    format!("{} files, {} bytes", p.files, p.bytes)
                });
                if (old.files, old.bytes) == (new.files, new.bytes) {
                    format!("the content of {path} has changed")
                } else {
                    format!("{path} was {}, is {}", say(old), say(new))
                }
            })
            .next()
    }
}

/// Numbers of a run's records.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// Records of translated articles.
    pub done: u64,
    /// Error records.
    pub failed: u64,
    /// Error records by kind.
    pub errors: BTreeMap<String, u64>,
    /// Records by flag.
    pub flags: BTreeMap<String, u64>,
    /// Source words of translated articles.
    pub source_words: u64,
}

impl Tally {
    /// Counts one record.
    pub fn add(&mut self, head: &super::record::Head) {
        match &head.error {
            Some(error) => {
                self.failed += 1;
                *self.errors.entry(error.kind.clone()).or_default() += 1;
            }
            None => self.done += 1,
        }
        for flag in &head.flags {
            *self.flags.entry(flag.clone()).or_default() += 1;
        }
        self.source_words += head.counts.map_or(0, |c| c.source_words as u64);
    }

    /// All records.
    #[must_use]
    pub fn records(&self) -> u64 {
        self.done + self.failed
    }
}

/// A run manifest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    schema: String,
    /// Version of the program that wrote it last.
    pub version: String,
    /// What the run is of.
    pub fingerprint: Fingerprint,
    /// Which part of the input; `None`: all of it.
    pub shard: Option<Shard>,
    /// Articles of the whole input, shards included; known when the input has been read.
    pub articles: Option<u64>,
    /// Every article of this run has its record.
    pub complete: bool,
    /// Records as of `updated`.
    pub counts: Tally,
    /// CPU kernels of the calls, in order of first use.
    pub kernels: Vec<String>,
    /// Start of the first call, UTC.
    pub started: String,
    /// When this was written, UTC.
    pub updated: String,
    /// Seconds of work, all calls together.
    pub seconds: f64,
    /// The file has been updated: its order is that of first sight, not that of the input.
    #[serde(default)]
    pub updated_in_place: bool,
}

/// The manifest's path beside an output.
#[must_use]
pub fn path_of(output: &Path) -> PathBuf {
    let mut name = output.as_os_str().to_owned();
    name.push(".run.json");
    name.into()
}

impl Manifest {
    /// A manifest of a run that begins now.
    #[must_use]
    pub fn new(fingerprint: Fingerprint, shard: Option<Shard>) -> Self {
        let now = now_utc();
        Self {
            schema: SCHEMA.to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            fingerprint,
            shard,
            articles: None,
            complete: false,
            counts: Tally::default(),
            kernels: Vec::new(),
            started: now.clone(),
            updated: now,
            seconds: 0.0,
            updated_in_place: false,
        }
    }

    /// Reads the manifest of an output; `None` when there is none.
    ///
    /// # Errors
    /// When it cannot be read or is no run manifest.
    pub fn read(output: &Path) -> io::Result<Option<Self>> {
        let bytes = match fs::read(path_of(output)) {
            Ok(bytes) => bytes,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(e),
        };
        let manifest: Self = serde_json::from_slice(&bytes)?;
        if manifest.schema != SCHEMA {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "not a run manifest",
            ));
        }
        Ok(Some(manifest))
    }

    /// Writes it beside the output, whole or not at all.
    ///
    /// # Errors
    /// What the system says.
    pub fn write(&mut self, output: &Path) -> io::Result<()> {
        self.updated = now_utc();
        env!("CARGO_PKG_VERSION").clone_into(&mut self.version);
        let mut bytes = serde_json::to_vec_pretty(self)?;
        bytes.push(b'\n');
        write_atomic(&path_of(output), &bytes)
    }
}

/// Seconds since the epoch.
#[must_use]
#[expect(
    clippy::disallowed_methods,
    reason = "the run manifest is what has a clock"
)]
pub fn now_s() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |d| d.as_secs())
}

/// Seconds until the clock on the wall shows this time next; `None` when there is no such time.
#[must_use]
pub fn seconds_until(hour: u8, minute: u8) -> Option<u64> {
    use jiff::{ToSpan as _, ZonedDateTime};
    let now = ZonedDateTime::now();
    let at = |day: &ZonedDateTime| {
        let with = day
            .with()
            .hour(hour.try_into().ok()?)
            .minute(minute.try_into().ok()?);
        with.second(0).subsec_nanosecond(0).build().ok()
    };
    let mut then = at(&now)?;
    if then <= now {
        then = at(&now.checked_add(1.day()).ok()?)?;
    }
    u64::try_from(then.timestamp().as_second() - now.timestamp().as_second()).ok()
}

fn now_utc() -> String {
    let now = now_s();
    let (days, second) = (now / 86_400, now % 86_400);
    let (year, month, day) = civil(days);
    let (h, m, s) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{h:02}:{m:02}:{s:02}Z")
}

/// Year, month, day of days since 1970-01-01.
fn civil(days: u64) -> (u64, u64, u64) {
    let leap = |y: u64| y.is_multiple_of(4) && (!y.is_multiple_of(100) || y.is_multiple_of(400));
    let (mut year, mut left) = (1970, days);
    while left >= 365 + u64::from(leap(year)) {
        left -= 365 + u64::from(leap(year));
        year += 1;
    }
    let february = 28 + u64::from(leap(year));
    let mut month = 1;
    for length in [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] {
        if left < length {
            break;
        }
        left -= length;
        month += 1;
    }
    (year, month, left + 1)
}

/// Measures how long something takes.
#[derive(Clone, Copy, Debug)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    /// Starts now.
    #[must_use]
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// Time since the start.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_the_calendar() {
        assert_eq!(civil(0), (1970, 1, 1));
        assert_eq!(civil(19_782), (2024, 2, 29));
        assert_eq!(civil(20_453), (2025, 12, 31));
    }

    #[test]
    fn fails_when_an_option_differs_and_names_it() {
        let mut then = Fingerprint::default();
        then.options.insert("to".into(), "ar".into());
        let mut now = then.clone();
        assert_eq!(now.difference(&then), None);
        now.options.insert("to".into(), "pt".into());
        assert_eq!(now.difference(&then).unwrap(), "option --to was ar, is pt");
    }
}
