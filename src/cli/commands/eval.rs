//! `tarjama eval`: how good translations are, a model's or anyone's.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use serde::Serialize;

use crate::cli::Context;
use crate::cli::exit::{Exit, Failure};
use crate::cli::options::{self, LangArgs, ModelArgs, SearchArgs};
use crate::disk::atomic::write_atomic;
use crate::eval::answer::answer;
use crate::eval::bootstrap::{self, Difference};
use crate::eval::report::{self, Group, Report};
use crate::eval::segment::{Answer, Segment};
use crate::eval::testset::{self, Item, Languages, TestSetError};
use crate::eval::tokens::Tokenizer;
use crate::translate::{PipelineOptions, Wrapped};

/// Arguments of `eval`.
#[derive(Args, Debug)]
pub struct EvalArgs {
    /// Test set: JSONL of source and reference, of language pairs, or of documents' sentences
    #[arg(long, value_name = "F.jsonl", required_unless_present = "references")]
    test: Option<PathBuf>,
    /// Translations by people, one a line
    #[arg(long, value_name = "R", conflicts_with = "test")]
    references: Option<PathBuf>,
    /// What was translated, one a line
    #[arg(
        long,
        value_name = "S",
        conflicts_with = "test",
        requires = "references"
    )]
    sources: Option<PathBuf>,
    /// Translations to judge, one a line (.jsonl: as translate --lines --json and run write them)
    /// [default: a model translates the sources]
    #[arg(long, value_name = "H", conflicts_with_all = ["guards", "output"])]
    hypotheses: Option<PathBuf>,
    /// Translations of another system, to say whether the difference is more than chance
    #[arg(long, value_name = "H2")]
    against: Option<PathBuf>,
    /// How BLEU cuts words
    #[arg(long, value_enum, default_value = "13a", value_name = "NAME")]
    tokenize: TokenizerArg,
    /// Let the model's lines be checked and tried again, as translate --lines --guards does
    #[arg(long)]
    guards: bool,
    /// Write the model's translations here, one a line
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    langs: LangArgs,
    #[command(flatten)]
    model: ModelArgs,
    #[command(flatten)]
    search: SearchArgs,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Source tokens of one batch; changes speed and memory, never results
    #[arg(long, value_name = "N", default_value_t = 1024, hide = true)]
    batch_tokens: usize,
}

/// How BLEU cuts words.
#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenizerArg {
    /// The default of WMT and sacreBLEU
    #[value(name = "13a")]
    V13a,
    /// For the punctuation of all scripts
    Intl,
    /// Each character is a word
    Char,
    /// The texts are cut already
    None,
}

impl From<TokenizerArg> for Tokenizer {
    fn from(arg: TokenizerArg) -> Self {
        match arg {
            TokenizerArg::V13a => Self::V13a,
            TokenizerArg::Intl => Self::Intl,
            TokenizerArg::Char => Self::Char,
            TokenizerArg::None => Self::None,
        }
    }
}

/// What `--json` prints.
#[derive(Serialize)]
struct Output<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    models: Option<&'a [String]>,
    #[serde(flatten)]
    report: &'a Report,
    #[serde(skip_serializing_if = "Option::is_none")]
    against: Option<Against>,
}

/// Comparison with another system.
#[derive(Serialize)]
struct Against {
    #[serde(flatten)]
    report: Report,
    samples: u32,
    bleu: Difference,
    chrf: Difference,
    #[serde(rename = "chrf++")]
    chrf_plus_plus: Difference,
}

/// Scores translations.
pub fn run(args: &EvalArgs, context: &Context) -> anyhow::Result<Exit> {
    let tokenizer = args.tokenize.into();
    let items = items(args)?;
    let (answers, models) = match &args.hypotheses {
        Some(path) => (hypotheses(path, &items)?, None),
        None => {
            let (answers, models) = translated(args, &items, context)?;
            (answers, Some(models))
        }
    };
    let segments = report::count(&items, &answers, tokenizer);
    let report = report::report(&items, &segments, tokenizer);
    let against = match &args.against {
        Some(path) => Some(against(path, &items, &segments, tokenizer)?),
        None => None,
    };
    let output = Output {
        models: models.as_deref(),
        report: &report,
        against,
    };
    if args.json {
        context.printer.result(&serde_json::to_string(&output)?)?;
    } else {
        context.printer.result_bytes(table(&output).as_bytes())?;
    }
    Ok(Exit::Done)
}

fn read(path: &Path) -> anyhow::Result<String> {
    let (name, bytes) = options::read_input(Some(&path.to_owned()))?;
    String::from_utf8(bytes)
        .map_err(|e| Failure::usage(format!("{name} is not UTF-8: {e}"), "recode it with iconv"))
}

fn bad_set(path: &Path, error: &TestSetError) -> anyhow::Error {
    let hint = match error {
        TestSetError::Json { .. } => "one JSON object a line",
        TestSetError::Missing { .. } => r#"{"source":"..","reference":".."} a line"#,
        TestSetError::Lengths { .. } => "files of one segment a line that belong together",
        TestSetError::Empty(_) => "another file, --from or --to",
    };
    Failure::usage(format!("{}: {error}", path.display()), hint)
}

fn items(args: &EvalArgs) -> anyhow::Result<Vec<Item>> {
    let languages = Languages {
        from: args.langs.from,
        to: args.langs.to,
    };
    if let Some(path) = &args.test {
        return testset::parse_jsonl(&read(path)?, languages).map_err(|e| bad_set(path, &e));
    }
    let Some(path) = &args.references else {
        return Err(Failure::usage(
            "nothing to judge by",
            "--test or --references",
        ));
    };
    let sources = args.sources.as_deref().map(read).transpose()?;
    testset::from_lines(&read(path)?, sources.as_deref(), languages).map_err(|e| bad_set(path, &e))
}

fn hypotheses(path: &Path, items: &[Item]) -> anyhow::Result<Vec<Answer>> {
    let text = read(path)?;
    let answers: Vec<Answer> = if path.extension().is_some_and(|e| e == "jsonl") {
        let texts = testset::hypotheses(&text).map_err(|e| bad_set(path, &e))?;
        texts.iter().map(|text| text.as_str().into()).collect()
    } else {
        testset::lines(&text).into_iter().map(Into::into).collect()
    };
    testset::same_length(answers.len(), "hypotheses", items.len(), "references")
        .map_err(|e| bad_set(path, &e))?;
    Ok(answers)
}

/// What the chosen models make of the sources, and the models' names.
fn translated(
    args: &EvalArgs,
    items: &[Item],
    context: &Context,
) -> anyhow::Result<(Vec<Answer>, Vec<String>)> {
    if items.iter().all(|item| item.source.is_none()) {
        return Err(Failure::usage(
            "there is nothing to translate",
            "--hypotheses with translations, or --sources for a model",
        ));
    }
    let first = items.first().map(|item| item.direction);
    let only = first.filter(|first| items.iter().all(|item| item.direction == *first));
    let langs = LangArgs {
        from: only.map(|d| d.from),
        to: only.map(|d| d.to),
    };
    let pool = options::thread_pool(context)?;
    let models = options::open_models(&args.model, &langs, context, &pool)?;
    let pipeline = PipelineOptions {
        from: None,
        to: None,
        decode: args.search.decode_options()?,
        wrapped: Wrapped::Auto,
        batch_tokens: args.batch_tokens,
    };
    let answers = answer(items, &models, &pipeline, args.guards, &pool)
        .map_err(|e| Failure::usage(e.to_string(), "another --model, or --from and --to"))?;
    if let Some(path) = &args.output {
        let mut text = String::new();
        for answer in &answers {
            let words: Vec<&str> = answer.text.lines().collect();
            text.push_str(&words.join(" "));
            text.push('\n');
        }
        write_atomic(path, text.as_bytes())?;
    }
    let names = models.iter().map(|m| m.info().name()).collect();
    Ok((answers, names))
}

fn against(
    path: &Path,
    items: &[Item],
    segments: &[Segment],
    tokenizer: Tokenizer,
) -> anyhow::Result<Against> {
    let other = report::count(items, &hypotheses(path, items)?, tokenizer);
    let [bleu, chrf, chrf_plus_plus] = bootstrap::compare(segments, &other);
    Ok(Against {
        report: report::report(items, &other, tokenizer),
        samples: bootstrap::SAMPLES,
        bleu,
        chrf,
        chrf_plus_plus,
    })
}

/// More documents than this are not listed for people.
const MOST_DOCUMENTS: usize = 40;

/// The report for people.
fn table(output: &Output<'_>) -> String {
    let mut out = String::new();
    for model in output.models.unwrap_or_default() {
        out.push_str(&format!("model {model}\n"));
    }
    let report = output.report;
    let groups = &report.groups;
    let mut shown = vec![&groups.topic, &groups.length];
    // One direction is the whole.
    if groups.direction.len() > 1 {
        shown.insert(0, &groups.direction);
    }
    if groups.document.len() <= MOST_DOCUMENTS {
        shown.push(&groups.document);
    }
    let all = Group {
        name: "all".into(),
        scores: report.scores.clone(),
        counts: report.counts,
    };
    let names = shown.iter().flat_map(|list| list.iter());
    let width = names
        .map(|g| g.name.chars().count())
        .max()
        .unwrap_or(0)
        .max(10);
    out.push_str(&format!(
        "{:width$}  segments   BLEU   chrF  chrF++  empty  language  loops  numbers kept\n",
        ""
    ));
    row(&mut out, &all, width);
    for list in shown {
        list.iter().for_each(|group| row(&mut out, group, width));
    }
    if groups.document.len() > MOST_DOCUMENTS {
        let n = groups.document.len();
        out.push_str(&format!("{n} documents, each with its scores in --json\n"));
    }
    if let Some(other) = &output.against {
        let differences = [other.bleu, other.chrf, other.chrf_plus_plus];
        for (name, d) in ["BLEU", "chrF", "chrF++"].iter().zip(differences) {
            out.push_str(&format!(
                "{name} {:+.2} against the other system, p = {:.4}\n",
                d.difference, d.p_value
            ));
        }
    }
    let scores = [
        ("BLEU", &report.scores.bleu),
        ("chrF2", &report.scores.chrf),
        ("chrF2++", &report.scores.chrf_plus_plus),
    ];
    for (name, score) in scores {
        out.push_str(&format!(
            "{name}|{} = {:.2}\n",
            score.signature, score.score
        ));
    }
    out
}

fn row(out: &mut String, group: &Group, width: usize) {
    let [bleu, chrf, plus] = group.scores.values();
    let c = &group.counts;
    let numbers = match c.against_source {
        Some(s) if s.numbers > 0 => format!("{} of {}", s.numbers_kept, s.numbers),
        _ => "-".to_owned(),
    };
    out.push_str(&format!(
        "{:width$}  {:8}  {bleu:5.2}  {chrf:5.2}   {plus:5.2}  {:5}  {:8}  {:5}  {numbers}\n",
        group.name, c.segments, c.empty, c.wrong_language, c.repeated
    ));
}
