//! How architectures tell languages, and which files their tokenisers have.

use std::path::Path;

use serde_json::Value;

use crate::engine::encdec::Architecture;
use crate::text::{Direction, Lang};
use crate::tokenize::seq2seq;
use crate::tokenize::seq2seq::{Layout, Seq2SeqTokenizer};

/// How an architecture tells languages, and what stands around a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Frame {
    /// `>>ara<< X </s>`, where the target side has several languages.
    Marian,
    /// `__en__ X </s>`, `eng_Latn X </s>`, `en_XX X </s>`; the target's language is forced first.
    Before,
    /// `X </s> en_XX`; the target starts from its language.
    Behind,
    /// `<s> X </s>`.
    Both,
    /// `X </s>`.
    End,
    /// `<2ar> X </s>`, or the prefix of `task_specific_params`.
    T5,
}

pub(super) fn layout(architecture: Architecture, dir: &Path) -> Layout {
    match architecture {
        Architecture::Marian => Layout::Marian,
        Architecture::M2m100 => Layout::M2m100,
        Architecture::Mbart => Layout::Mbart,
        Architecture::Bart if dir.join("merges.txt").is_file() => Layout::ByteLevel,
        Architecture::Bart => Layout::Mbart,
        Architecture::Pegasus => Layout::Pegasus,
        // CTranslate2's are told by their vocabulary.
        Architecture::T5 | Architecture::Mt5 | Architecture::Ctranslate2 => Layout::T5,
    }
}

/// The files and the frame that the tokens of a converted model mean.
pub(super) fn converted_layout(dir: &Path, vocabulary: &[String]) -> (Layout, Frame) {
    let has = |token: &str| vocabulary.iter().any(|t| t == token);
    if dir.join("source.spm").is_file() {
        (Layout::Marian, Frame::Marian)
    } else if has("eng_Latn") || has("__en__") {
        (Layout::M2m100, Frame::Before)
    } else if has("en_XX") {
        (Layout::Mbart, Frame::Before)
    } else if has("<unk_2>") {
        (Layout::Pegasus, Frame::End)
    } else if has("<2en>")
        || has("<extra_id_0>")
        || vocabulary.first().is_some_and(|t| t == "<pad>")
    {
        (Layout::T5, Frame::T5)
    } else {
        (Layout::ByteLevel, Frame::Both)
    }
}

/// The direction of `tokenizer_config.json`, as opus-mt has it.
pub(super) fn declared(frame: Frame, dir: &Path) -> Option<Direction> {
    let lang = |name| Lang::parse(seq2seq::setting(dir, name)?.as_str()?);
    match frame {
        Frame::Marian => Some(Direction {
            from: lang("source_lang")?,
            to: lang("target_lang")?,
        }),
        _ => None,
    }
}

pub(super) fn frame(architecture: Architecture, dir: &Path) -> Frame {
    let class = seq2seq::setting(dir, "tokenizer_class");
    let class = class.as_ref().and_then(Value::as_str).unwrap_or_default();
    let class = class.trim_end_matches("Fast");
    match architecture {
        Architecture::Marian => Frame::Marian,
        Architecture::M2m100 => Frame::Before,
        Architecture::Mbart => match class {
            "MBart50Tokenizer" => Frame::Before,
            "MBartTokenizer" | "" => Frame::Behind,
            _ => Frame::Both,
        },
        Architecture::Bart => Frame::Both,
        Architecture::Pegasus => Frame::End,
        Architecture::T5 | Architecture::Mt5 | Architecture::Ctranslate2 => Frame::T5,
    }
}

/// The tokens that name a language, by the marks of the architecture.
pub(super) fn languages(frame: Frame, tokenizer: &Seq2SeqTokenizer) -> Vec<String> {
    let is_language = |name: &str| match frame {
        Frame::Marian => name.starts_with(">>") && name.ends_with("<<") && name.len() > 4,
        Frame::T5 => {
            let code = name.strip_prefix("<2").and_then(|n| n.strip_suffix('>'));
            code.is_some_and(|c| {
                !c.is_empty() && c.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
            })
        }
        Frame::Before | Frame::Behind => is_code(name),
        Frame::Both | Frame::End => false,
    };
    let mut names = tokenizer.tokens();
    names.retain(|name| is_language(name));
    names
}

/// `__en__`, `en_XX` or `eng_Latn`.
pub(super) fn is_code(name: &str) -> bool {
    if let Some(code) = name.strip_prefix("__").and_then(|n| n.strip_suffix("__")) {
        return !code.is_empty() && code.bytes().all(|b| b.is_ascii_lowercase());
    }
    let Some((code, rest)) = name.split_once('_') else {
        return false;
    };
    let lower = |s: &str| s.bytes().all(|b| b.is_ascii_lowercase());
    match (code.len(), rest.len()) {
        (2, 2) => lower(code) && rest.bytes().all(|b| b.is_ascii_uppercase()),
        (3, 4) => {
            lower(code) && rest.starts_with(|c: char| c.is_ascii_uppercase()) && lower(&rest[1..])
        }
        _ => false,
    }
}

/// `en` of `__en__`, `>>en<<`, `<2en>`, `en_XX`.
pub(super) fn code_of(name: &str) -> &str {
    let name = name.trim_start_matches(">>").trim_end_matches("<<");
    let name = name.trim_start_matches("<2").trim_end_matches('>');
    name.trim_start_matches("__").trim_end_matches("__")
}
