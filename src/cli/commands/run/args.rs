//! Arguments of `run`, and what changes bytes among them.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use crate::cli::exit::Failure;
use crate::cli::options::{self, LangArgs, ModelArgs, SearchArgs, WrappedArg};
use crate::cli::progress::ProgressKind;
use crate::cli::settings;
use crate::run::manifest::seconds_until;
use crate::run::{SegmentDetail, Shard, shard::ShardError};
use crate::text::Lang;

const EXAMPLES: &str = "\
Examples:
  tarjama run news/ -o news.jsonl                     a folder; run it again to go on or to retry
  tarjama run in.jsonl.zst -o out.jsonl --to ar       JSON lines into Arabic alone
  tarjama run news/ -o news.jsonl --update            a folder that grows night by night
  tarjama run news/ -o news.jsonl --deadline 06:30    stop in the morning, go on the next night
  tarjama run news/ -o part.jsonl --shard auto        one task of a Slurm or Kubernetes array
  cat in.jsonl | tarjama run - -o - > out.jsonl       a filter

Exit codes: 0 done; 2 not started; 3 done, some articles have error records; 4 try again;
5 model; 6 stopped by --deadline or --limit; 130, 143 interrupted. After 4, 6, 130 and 143 the
same command goes on where it stopped.";

/// Arguments of `run`.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub struct RunArgs {
    /// Files (text, Markdown, HTML, JSONL, also .gz and .zst), folders, or - for JSONL on stdin
    #[arg(value_name = "INPUT", required = true)]
    pub(super) inputs: Vec<PathBuf>,
    /// Output; - writes records to stdout, without a manifest and without resume
    #[arg(short, long, value_name = "OUT.jsonl")]
    pub(super) output: PathBuf,
    #[command(flatten)]
    pub(super) langs: LangArgs,
    #[command(flatten)]
    pub(super) model: ModelArgs,
    #[command(flatten)]
    pub(super) search: SearchArgs,
    /// Languages of the summaries in order, or none
    #[arg(long, value_name = "LANGS", default_value = "en,ar", value_parser = parse_summaries)]
    pub(super) summaries: Summaries,
    /// Sentences of a summary
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..))]
    pub(super) sentences: u16,
    /// Model that writes the summaries: an id, a directory or file in GGUF layout, or extractive,
    /// which chooses sentences of the text [default: extractive]
    #[arg(long, env = "TARJAMA_SUMMARY_MODEL", value_name = "ID|DIR", help_heading = options::MODEL)]
    pub(super) summary_model: Option<String>,
    /// What to do with hard-wrapped lines
    #[arg(long, value_enum, default_value = "auto")]
    pub(super) wrapped: WrappedArg,
    /// Where a field of JSON lines has another name (text=story); may stand several times
    #[arg(long, value_name = "FIELD=NAME")]
    pub(super) field: Vec<String>,
    /// Largest article or line; a larger one gives an error record
    #[arg(long, value_name = "BYTES", default_value = "8M", value_parser = parse_bytes)]
    pub(super) max_bytes: usize,
    /// Start again; what is in the output is lost
    #[arg(long, conflicts_with_all = ["update", "retry_failed"])]
    pub(super) overwrite: bool,
    /// Keep good records of the same id and text, append new articles, do changed ones again
    #[arg(long, conflicts_with_all = ["retry_failed", "shard"])]
    pub(super) update: bool,
    /// Try articles with error records again, and write their records in their places
    #[arg(long)]
    pub(super) retry_failed: bool,
    /// Segments that a record lists
    #[arg(long, value_enum, default_value = "all")]
    pub(super) segments: SegmentsArg,
    /// Also write each translated text to a file of this folder
    #[arg(long, value_name = "DIR")]
    pub(super) text_dir: Option<PathBuf>,
    /// Part I of N of the articles (0/4 to 3/4), or auto: from the job scheduler's environment
    #[arg(long, value_name = "I/N|auto")]
    pub(super) shard: Option<String>,
    /// Stop after this many articles; the same command goes on
    #[arg(long, value_name = "N")]
    pub(super) limit: Option<u64>,
    /// Stop at this time of day (06:30) or after this long (8h, 90m, 1h30m); the same command goes on
    #[arg(long, value_name = "HH:MM|DURATION", value_parser = parse_deadline)]
    pub(super) deadline: Option<Duration>,
    /// Read the input, say what would be done, and do nothing
    #[arg(long)]
    pub(super) dry_run: bool,
    /// Print the counts at the end (with --dry-run: the plan) as one JSON object on stdout
    #[arg(long)]
    pub(super) json: bool,
    /// Source tokens of one batch; changes speed and memory, never results
    #[arg(
        long,
        value_name = "N",
        default_value_t = 1024,
        value_parser = options::parse_batch_tokens,
        help_heading = options::MODEL
    )]
    pub(super) batch_tokens: usize,
    /// How progress is told on stderr
    #[arg(long, value_enum, default_value = "auto")]
    pub(super) progress: ProgressKind,
}

#[derive(Clone, Debug)]
pub(super) struct Summaries(pub(super) Vec<Lang>);

#[derive(ValueEnum, Clone, Copy, Debug)]
pub(super) enum SegmentsArg {
    /// All of them
    All,
    /// Those with a flag
    Flagged,
    /// None: the translated text is all there is
    None,
}

impl RunArgs {
    /// Its results are read by a person, who may be asked what to do.
    pub(in crate::cli) fn is_for_people(&self) -> bool {
        let programs = self.json || self.progress == ProgressKind::Json;
        !programs && self.output.as_os_str() != "-"
    }
}

/// A setting, or that the model's own rule holds.
fn or_auto<T: ToString>(setting: Option<T>) -> String {
    setting.map_or("auto".into(), |value| value.to_string())
}

/// Options that change bytes, by the name of their flag.
pub(super) fn option_names(args: &RunArgs, langs: &LangArgs) -> BTreeMap<String, String> {
    let lang = |lang: Option<Lang>, none: &str| lang.map_or(none.to_owned(), |l| l.to_string());
    let search = &args.search;
    let summaries: Vec<String> = args.summaries.0.iter().map(Lang::to_string).collect();
    let pairs = [
        ("from", lang(langs.from, "detected")),
        ("to", lang(langs.to, "the other language")),
        ("beam", or_auto(search.beam)),
        ("length-penalty", or_auto(search.length_penalty)),
        ("max-new-tokens", or_auto(search.max_new_tokens)),
        ("min-new-tokens", or_auto(search.min_new_tokens)),
        ("no-repeat-ngram", or_auto(search.no_repeat_ngram)),
        (
            "compute-type",
            format!("{:?}", args.model.compute_type).to_lowercase(),
        ),
        ("wrapped", format!("{:?}", args.wrapped).to_lowercase()),
        ("segments", detail(args.segments).name().to_owned()),
        (
            "summaries",
            if summaries.is_empty() {
                "none".into()
            } else {
                summaries.join(",")
            },
        ),
        ("sentences", args.sentences.to_string()),
        ("max-bytes", args.max_bytes.to_string()),
        ("field", args.field.join(",")),
    ];
    pairs
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value))
        .collect()
}

pub(super) fn detail(segments: SegmentsArg) -> SegmentDetail {
    match segments {
        SegmentsArg::All => SegmentDetail::All,
        SegmentsArg::Flagged => SegmentDetail::Flagged,
        SegmentsArg::None => SegmentDetail::None,
    }
}

fn parse_summaries(text: &str) -> Result<Summaries, String> {
    if text == "none" || text.is_empty() {
        return Ok(Summaries(Vec::new()));
    }
    let mut langs = Vec::new();
    for code in text.split(',') {
        let lang = Lang::parse(code.trim())
            .ok_or_else(|| format!("'{code}' is no language code; try en, ar or none"))?;
        if !langs.contains(&lang) {
            langs.push(lang);
        }
    }
    Ok(Summaries(langs))
}

fn parse_bytes(text: &str) -> Result<usize, String> {
    let upper = text.to_ascii_uppercase();
    let digits = upper.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let factor = match &upper[digits.len()..] {
        "" | "B" => 1,
        "K" | "KB" | "KIB" => 1 << 10,
        "M" | "MB" | "MIB" => 1 << 20,
        "G" | "GB" | "GIB" => 1 << 30,
        _ => return Err("a number of bytes is wanted, such as 8M".into()),
    };
    digits
        .parse::<usize>()
        .ok()
        .and_then(|n| n.checked_mul(factor))
        .filter(|&n| (1..=1 << 30).contains(&n))
        .ok_or_else(|| "a number of bytes from 1 to 1G is wanted, such as 8M".into())
}

fn parse_deadline(text: &str) -> Result<Duration, String> {
    let wrong = || format!("'{text}' is neither a time of day (06:30) nor a duration (8h, 90m)");
    if let Some((hour, minute)) = text.split_once(':') {
        let number = |s: &str| s.parse::<u8>().ok().filter(|_| s.len() <= 2);
        let (hour, minute) = (
            number(hour).ok_or_else(wrong)?,
            number(minute).ok_or_else(wrong)?,
        );
        return seconds_until(hour, minute)
            .map(Duration::from_secs)
            .ok_or_else(wrong);
    }
    let (mut seconds, mut digits) = (0_u64, String::new());
    for c in text.chars() {
        let unit = match c {
            '0'..='9' => {
                digits.push(c);
                continue;
            }
            'h' => 3600,
            'm' => 60,
            's' => 1,
            _ => return Err(wrong()),
        };
        let number: u64 = digits.parse().map_err(|_| wrong())?;
        seconds = number
            .checked_mul(unit)
            .and_then(|n| n.checked_add(seconds))
            .ok_or_else(wrong)?;
        digits.clear();
    }
    if text.is_empty() || !digits.is_empty() {
        return Err(wrong());
    }
    Ok(Duration::from_secs(seconds))
}

pub(super) fn parse_shard(text: &str) -> anyhow::Result<Shard> {
    if text != "auto" {
        return text.parse().map_err(|e: ShardError| {
            Failure::usage(e.to_string(), "--shard 0/4, or --shard auto in a job array")
        });
    }
    settings::job_array().ok_or_else(|| {
        Failure::usage(
            "--shard auto finds no job array in the environment",
            "set SLURM_ARRAY_TASK_ID and SLURM_ARRAY_TASK_COUNT, or JOB_COMPLETION_INDEX and \
             JOB_COMPLETIONS, or give --shard I/N",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_durations_and_sizes_as_written() {
        assert_eq!(parse_deadline("1h30m"), Ok(Duration::from_secs(5400)));
        assert_eq!(parse_deadline("45s"), Ok(Duration::from_secs(45)));
        assert!(parse_deadline("06:30").is_ok_and(|d| d <= Duration::from_secs(86_400 + 7200)));
        for wrong in ["", "5", "h", "25:00", "6:", "1d", "-1h", "06:60"] {
            assert!(parse_deadline(wrong).is_err(), "{wrong}");
        }
        assert_eq!(parse_bytes("8M"), Ok(8 << 20));
        assert_eq!(parse_bytes("100"), Ok(100));
        assert!(parse_bytes("8X").is_err() && parse_bytes("0").is_err());
    }
}
