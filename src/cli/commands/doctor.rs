//! `tarjama doctor`: what this machine offers, and what is missing.

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::{Value, json};

use crate::cli::Context;
use crate::cli::exit::Exit;
use crate::models::manifest;
use crate::models::store::{Store, runnable};
use crate::text::{Direction, Lang};

const EXAMPLES: &str = "\
Examples:
  tarjama doctor             what to fetch next, and what serves now
  tarjama doctor --json      for programs and bug reports";

/// Arguments of `doctor`.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub struct DoctorArgs {
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// Prints what was found; it ends well even where something is missing, and says what to do.
///
/// # Errors
/// When stdout fails.
pub fn run(args: &DoctorArgs, context: &Context) -> anyhow::Result<Exit> {
    let printer = &context.printer;
    let features = cpu_features();
    let kernels = kernels(&features, context.settings.kernels.as_deref());
    let threads = Threads::find();
    let cache = context.settings.cache.clone();
    let store = context.settings.store().ok();
    let free = cache.as_deref().and_then(free_space);
    let writable = cache.as_deref().map(is_writable);
    let models = store.as_ref().map(Store::list).unwrap_or_default();
    let serving: Vec<(Direction, String)> = [(Lang::EN, Lang::AR), (Lang::AR, Lang::EN)]
        .into_iter()
        .map(|(from, to)| {
            let direction = Direction { from, to };
            let best = store
                .as_ref()
                .and_then(|s| s.best_for(direction))
                .map(|(m, _)| m.id);
            let draft = || context.embedded.map(|e| format!("{} (draft)", e.id));
            (
                direction,
                best.or_else(draft).unwrap_or_else(|| "none".to_owned()),
            )
        })
        .collect();
    let missing: Vec<String> = serving
        .iter()
        .filter_map(|(direction, _)| manifest::recommended(*direction))
        .map(|m| m.id)
        .filter(|id| !models.iter().any(|l| &l.manifest.id == id))
        .collect();
    if args.json {
        let serving: serde_json::Map<String, Value> = serving
            .iter()
            .map(|(d, m)| (d.to_string(), json!(m)))
            .collect();
        let list: Vec<Value> = models
            .iter()
            .map(|l| {
                json!({
                    "id": l.manifest.id,
                    "revision": l.revision,
                    "bytes": l.total_size(),
                    "runs_here": runnable(&l.manifest),
                })
            })
            .collect();
        let facts = json!({
            "version": env!("CARGO_PKG_VERSION"),
            "cpu": {"arch": std::env::consts::ARCH, "features": features, "kernels": kernels},
            "threads": {
                "default": threads.allowed(),
                "affinity": threads.affinity,
                "cgroup_quota": threads.quota,
            },
            "cache": {"path": cache, "free_bytes": free, "writable": writable},
            "embedded": context.embedded.map(|e| json!({"id": e.id, "draft": true})),
            "models": list,
            "serving": serving,
            "missing": missing,
            "offline": context.settings.hub.offline,
        });
        printer.result(&facts.to_string())?;
        return Ok(Exit::Done);
    }
    printer.result(&format!("tarjama   {}", env!("CARGO_PKG_VERSION")))?;
    printer.result(&format!(
        "cpu       {} ({})",
        std::env::consts::ARCH,
        features.join(" ")
    ))?;
    printer.result(&format!("kernels   {kernels}"))?;
    let quota = threads
        .quota
        .map_or_else(|| "no quota".to_owned(), |q| format!("quota {q:.1}"));
    printer.result(&format!(
        "threads   {} (affinity {}, {quota})",
        threads.allowed(),
        threads.affinity
    ))?;
    match &cache {
        Some(cache) => {
            let free = free.map_or_else(|| "unknown".to_owned(), gigabytes);
            let access = if writable == Some(true) {
                ""
            } else {
                ", read-only"
            };
            printer.result(&format!(
                "cache     {} ({free} free{access})",
                cache.display()
            ))?;
        }
        None => printer.result("cache     none: no home folder is known; use --cache DIR")?,
    }
    match context.embedded {
        Some(e) => printer.result(&format!(
            "embedded  {}: a draft model, good for trying out; its output is flagged draft_model",
            e.id
        ))?,
        None => printer.result("embedded  none in this build")?,
    }
    if models.is_empty() {
        printer.result("models    none installed")?;
    }
    for lock in &models {
        let engine = if runnable(&lock.manifest) {
            ""
        } else {
            "  (this build has no engine for it)"
        };
        printer.result(&format!(
            "model     {}@{}{engine}",
            lock.manifest.id, lock.revision
        ))?;
    }
    for (direction, model) in &serving {
        printer.result(&format!("{direction}     {model}"))?;
    }
    if !missing.is_empty() {
        let ids = missing.join(" ");
        printer.result(&format!(
            "next      tarjama models fetch {ids}   (Firefox models, 31 MB a direction, MPL-2.0)"
        ))?;
        if context.settings.hub.offline {
            printer.result(
                "          HF_HUB_OFFLINE is set: unset it, or carry a bundle here (models import)",
            )?;
        }
    }
    Ok(Exit::Done)
}

fn gigabytes(bytes: u64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "shown with one decimal")]
    let gigabytes = bytes as f64 / 1e9;
    format!("{gigabytes:.1} GB")
}

#[cfg(target_arch = "x86_64")]
fn cpu_features() -> Vec<&'static str> {
    let mut found = Vec::new();
    macro_rules! look {
        ($($name:tt),*) => {
            $(if std::is_x86_feature_detected!($name) { found.push($name); })*
        };
    }
    look!(
        "sse4.1",
        "ssse3",
        "avx",
        "avx2",
        "fma",
        "f16c",
        "avx512f",
        "avx512bw",
        "avx512vnni"
    );
    found
}

#[cfg(target_arch = "aarch64")]
fn cpu_features() -> Vec<&'static str> {
    let mut found = Vec::new();
    if std::arch::is_aarch64_feature_detected!("neon") {
        found.push("neon");
    }
    if std::arch::is_aarch64_feature_detected!("dotprod") {
        found.push("dotprod");
    }
    if std::arch::is_aarch64_feature_detected!("i8mm") {
        found.push("i8mm");
    }
    found
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
fn cpu_features() -> Vec<&'static str> {
    Vec::new()
}

/// The kernels that this machine runs.
fn kernels(features: &[&str], forced: Option<&str>) -> String {
    if let Some(forced) = forced.filter(|f| *f != "auto") {
        return format!("{forced} (forced)");
    }
    let has = |name| features.contains(&name);
    if has("avx512f") && has("avx512bw") && has("avx512vnni") {
        "avx512"
    } else if has("avx2") {
        "avx2"
    } else {
        "portable"
    }
    .to_owned()
}

/// Processors that this process may use.
struct Threads {
    affinity: usize,
    quota: Option<f64>,
}

impl Threads {
    fn find() -> Self {
        Self {
            affinity: affinity(),
            quota: cgroup_quota(),
        }
    }

    fn allowed(&self) -> usize {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a quota is a small positive number"
        )]
        let quota = self
            .quota
            .map_or(usize::MAX, |q| (q.ceil() as usize).max(1));
        self.affinity.min(quota).max(1)
    }
}

#[cfg(target_os = "linux")]
fn affinity() -> usize {
    let line = std::fs::read_to_string("/proc/self/status")
        .ok()
        .and_then(|status| {
            let line = status
                .lines()
                .find(|l| l.starts_with("Cpus_allowed_list:"))?
                .to_owned();
            count_list(line.split_once(':')?.1.trim())
        });
    line.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from))
}

#[cfg(not(target_os = "linux"))]
fn affinity() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Counts `0-3,8`.
fn count_list(list: &str) -> Option<usize> {
    list.split(',')
        .map(|range| match range.split_once('-') {
            Some((a, b)) => {
                let (a, b): (usize, usize) = (a.parse().ok()?, b.parse().ok()?);
                b.checked_sub(a)?.checked_add(1)
            }
            None => range.parse::<usize>().ok().map(|_| 1),
        })
        .sum()
}

/// The tightest CPU quota from this process's control group up to the root.
fn cgroup_quota() -> Option<f64> {
    let group = std::fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let own = group
        .lines()
        .find_map(|l| l.strip_prefix("0::"))
        .unwrap_or("/");
    let root = Path::new("/sys/fs/cgroup");
    let mut folder = root.join(own.trim_start_matches('/'));
    let mut tightest: Option<f64> = None;
    loop {
        let quota = std::fs::read_to_string(folder.join("cpu.max")).ok();
        if let Some(quota) = quota.and_then(|text| parse_quota(&text)) {
            tightest = Some(tightest.map_or(quota, |t| t.min(quota)));
        }
        if folder == root || !folder.pop() {
            break;
        }
    }
    tightest.or_else(|| {
        // Version 1 has two files.
        let read = |name: &str| {
            let text = std::fs::read_to_string(root.join("cpu").join(name)).ok()?;
            text.trim().parse::<f64>().ok().filter(|n| *n > 0.0)
        };
        Some(read("cpu.cfs_quota_us")? / read("cpu.cfs_period_us")?)
    })
}

/// Reads `QUOTA PERIOD`; `max` is no quota.
fn parse_quota(text: &str) -> Option<f64> {
    let (quota, period) = text.trim().split_once(' ')?;
    let (quota, period): (f64, f64) = (quota.parse().ok()?, period.parse().ok()?);
    (quota > 0.0 && period > 0.0).then_some(quota / period)
}

/// The folder, or the nearest one above it that is there.
fn existing(path: &Path) -> PathBuf {
    path.ancestors()
        .find(|p| p.is_dir())
        .map_or_else(|| PathBuf::from("."), Path::to_path_buf)
}

#[cfg(unix)]
fn free_space(path: &Path) -> Option<u64> {
    let facts = rustix::fs::statvfs(existing(path)).ok()?;
    Some(facts.f_bavail.saturating_mul(facts.f_frsize))
}

#[cfg(not(unix))]
fn free_space(_path: &Path) -> Option<u64> {
    None
}

#[cfg(unix)]
fn is_writable(path: &Path) -> bool {
    rustix::fs::access(existing(path), rustix::fs::Access::WRITE_OK).is_ok()
}

#[cfg(not(unix))]
fn is_writable(path: &Path) -> bool {
    existing(path)
        .metadata()
        .is_ok_and(|m| !m.permissions().readonly())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_container_with_half_a_core_gets_one_thread() {
        assert_eq!(parse_quota("50000 100000\n"), Some(0.5));
        assert_eq!(parse_quota("max 100000\n"), None);
        assert_eq!(parse_quota("0 100000"), None);
        assert_eq!(
            Threads {
                affinity: 8,
                quota: Some(0.5)
            }
            .allowed(),
            1
        );
        assert_eq!(
            Threads {
                affinity: 8,
                quota: Some(2.5)
            }
            .allowed(),
            3
        );
        assert_eq!(
            Threads {
                affinity: 2,
                quota: None
            }
            .allowed(),
            2
        );
    }

    #[test]
    fn counts_the_processors_of_an_affinity_list() {
        assert_eq!(count_list("0-3,8"), Some(5));
        assert_eq!(count_list("7"), Some(1));
        assert_eq!(count_list("3-1"), None);
        assert_eq!(count_list("x"), None);
    }
}
