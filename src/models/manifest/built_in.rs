//! The manifests that the program carries.

use super::Manifest;
use crate::text::Direction;

macro_rules! carried {
    ($($id:literal)*) => {
        &[$(($id, include_str!(concat!("../../../models/", $id, ".toml")))),*]
    };
}

/// Ids and texts, in the order of `models list`.
pub(super) const BUILT_IN: &[(&str, &str)] = carried! {
    "firefox-en-ar"
    "firefox-ar-en"
    "firefox-en-ar-base"
    "firefox-ar-en-base"
    "firefox-en-pt-tiny"
    "firefox-pt-en-tiny"
    "opus-mt-en-ar"
    "opus-mt-ar-en"
    "opus-mt-tc-big-en-ar"
    "opus-mt-tc-big-ar-en"
    "m2m100-418m"
    "m2m100-1.2b"
    "nllb-200-600m"
    "nllb-200-1.3b"
    "nllb-200-3.3b"
    "mbart-50"
    "madlad400-3b"
    "translategemma-4b"
    "translategemma-12b"
    "translategemma-27b"
    "hy-mt1.5-1.8b"
    "hy-mt1.5-1.8b-gguf"
    "gemma-3-1b"
    "gemma-3-4b"
    "gemma-3-1b-gguf"
    "gemma-3-4b-gguf"
    "qwen3-4b-gguf"
    "gemma3-270m-base"
    "qwen2.5-coder-1.5b"
    "smollm2-135m"
    "bart-large-cnn"
    "distilbart-cnn"
    "pegasus-cnn-dailymail"
    "pegasus-xsum"
    "mt5-xlsum"
    "arabart"
};

/// All manifests that the program carries, in a fixed order.
#[must_use]
pub fn built_in() -> Vec<Manifest> {
    BUILT_IN
        .iter()
        .filter_map(|(id, text)| match Manifest::parse(text, id) {
            Ok(manifest) => Some(manifest),
            Err(error) => {
                // A test parses every one of them; this keeps a bad build usable.
                tracing::error!("{error}");
                None
            }
        })
        .collect()
}

/// The built-in manifest that goes by this name.
#[must_use]
pub fn find(name: &str) -> Option<Manifest> {
    built_in().into_iter().find(|m| m.is_named(name))
}

/// The model that `--fetch` fetches for a direction.
#[must_use]
pub fn recommended(direction: Direction) -> Option<Manifest> {
    built_in()
        .into_iter()
        .find(|m| m.recommended && m.translates(direction))
}
