//! The one question that tarjama asks: whether to fetch the recommended model where only the draft
//! would serve. It is asked on a terminal alone, once, and the answer is kept.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::Context;
use super::commands::models::progress;
use crate::disk::atomic::write_atomic;
use crate::models::manifest::Manifest;
use crate::models::{fetch, store::Store};

/// What the user has answered, in the state folder.
#[derive(Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
struct Answers {
    fetch_recommended: Option<bool>,
}

impl Answers {
    fn path(state: &Path) -> PathBuf {
        state.join("answers.toml")
    }

    /// A file that is missing or damaged holds no answer.
    fn read(state: &Path) -> Self {
        std::fs::read_to_string(Self::path(state))
            .ok()
            .and_then(|text| toml::from_str(&text).ok())
            .unwrap_or_default()
    }
}

/// The words of an answer; `None` where it is neither yes nor no.
fn understood(line: &str) -> Option<bool> {
    match line.trim().to_lowercase().as_str() {
        "y" | "yes" | "نعم" => Some(true),
        "n" | "no" | "لا" => Some(false),
        _ => None,
    }
}

/// Whether the recommended models, of which none is installed, shall be fetched now.
pub(super) fn wants_recommended(missing: &[Manifest], context: &Context) -> bool {
    if missing.is_empty() || !context.may_ask || context.settings.hub.offline {
        return false;
    }
    let state = context.settings.state.as_deref();
    if let Some(kept) = state.and_then(|dir| Answers::read(dir).fetch_recommended) {
        return kept;
    }
    let ids: Vec<&str> = missing.iter().map(|m| m.id.as_str()).collect();
    let ids = ids.join(" and ");
    let question = format!(
        "Only the built-in draft model is here, and a better one is free: {ids} \
         (31 MB a direction, {}).\nFetch it now? [y/N] ",
        missing[0].licence
    );
    let Some(answer) = context
        .printer
        .ask(&question)
        .as_deref()
        .and_then(understood)
    else {
        context.printer.note("no answer: going on with the draft");
        return false;
    };
    keep(answer, state, context);
    if !answer {
        let ids = ids.replace(" and ", " ");
        context.printer.note(&format!(
            "you will not be asked again; `tarjama models fetch {ids}` fetches it"
        ));
    }
    answer
}

fn keep(answer: bool, state: Option<&Path>, context: &Context) {
    let Some(dir) = state else { return };
    let text = format!(
        "# Whether tarjama, on a terminal, fetches the recommended model of a direction that only\n\
         # the draft serves. Remove this file to be asked again.\n\
         fetch-recommended = {answer}\n"
    );
    let kept = std::fs::create_dir_all(dir)
        .and_then(|()| write_atomic(&Answers::path(dir), text.as_bytes()));
    if let Err(error) = kept {
        let path = Answers::path(dir);
        context.printer.note(&format!(
            "could not keep the answer in {}: {error}",
            path.display()
        ));
    }
}

/// Fetches a recommended model; a failure is said and the command goes on with what there is.
pub(super) fn fetch_or_say(manifest: &Manifest, store: &Store, context: &Context) {
    let mut options = context.settings.fetch_options().hurried();
    options.progress = progress(&context.printer);
    match fetch::fetch_model(manifest, store, &options) {
        Ok(_) => context.printer.note(&format!("fetched {}", manifest.id)),
        Err(error) => context.printer.note(&format!(
            "could not fetch {} ({error}); going on without it",
            manifest.id
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_an_answer_and_survives_a_damaged_file() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(Answers::read(dir.path()), Answers::default());
        write_atomic(&Answers::path(dir.path()), b"fetch-recommended = true\n").unwrap();
        assert_eq!(Answers::read(dir.path()).fetch_recommended, Some(true));
        write_atomic(&Answers::path(dir.path()), b"fetch-recommended = \"per").unwrap();
        assert_eq!(Answers::read(dir.path()).fetch_recommended, None);
    }

    #[test]
    fn takes_yes_and_no_in_both_languages_and_nothing_else() {
        assert_eq!(understood(" Yes\n"), Some(true));
        assert_eq!(understood("نعم\n"), Some(true));
        assert_eq!(understood("N\n"), Some(false));
        assert_eq!(understood("لا"), Some(false));
        assert_eq!(understood("\n"), None);
        assert_eq!(understood("maybe"), None);
    }
}
