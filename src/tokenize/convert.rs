//! Tokenisers of the tokenizers library, built from a sentencepiece model or from vocabulary and
//! merges as Hugging Face's classes build them where a repository has no `tokenizer.json`.
//!
//! Source: huggingface/transformers `models/{mbart50,pegasus,t5,roberta}/tokenization_*.py`.

use tokenizers::decoders::byte_level::ByteLevel;
use tokenizers::models::bpe::BPE;
use tokenizers::models::unigram::Unigram;
use tokenizers::normalizers::replace::ReplacePattern;
use tokenizers::normalizers::{Precompiled, Replace, Sequence};
use tokenizers::pre_tokenizers::metaspace::{Metaspace, PrependScheme};
use tokenizers::pre_tokenizers::sequence::Sequence as PreSequence;
use tokenizers::pre_tokenizers::whitespace::WhitespaceSplit;
use tokenizers::{AddedToken, ModelWrapper, NormalizerWrapper, PreTokenizerWrapper, Tokenizer};

use super::hf::TokenizerError;
use super::spm::{Kind, Spm};

/// Languages of mBART-50, in the order of their ids.
pub(super) const MBART50: &str = "ar_AR cs_CZ de_DE en_XX es_XX et_EE fi_FI fr_XX gu_IN hi_IN it_IT \
    ja_XX kk_KZ ko_KR lt_LT lv_LV my_MM ne_NP nl_XX ro_RO ru_RU si_LK tr_TR vi_VN zh_CN af_ZA az_AZ \
    bn_IN fa_IR he_IL hr_HR id_ID ka_GE km_KH mk_MK ml_IN mn_MN mr_IN pl_PL ps_AF pt_XX sv_SE sw_KE \
    ta_IN te_IN th_TH tl_XX uk_UA ur_PK xh_ZA gl_ES sl_SI";

fn failed(error: impl std::fmt::Display) -> TokenizerError {
    TokenizerError::of(error)
}

fn spaces() -> Result<NormalizerWrapper, TokenizerError> {
    let pattern = ReplacePattern::Regex(" {2,}".to_owned());
    Ok(Replace::new(pattern, " ").map_err(failed)?.into())
}

fn charsmap(spm: &Spm) -> Result<Option<NormalizerWrapper>, TokenizerError> {
    if spm.raw_charsmap().is_empty() {
        return Ok(None);
    }
    let rules = Precompiled::from(spm.raw_charsmap()).map_err(failed)?;
    Ok(Some(rules.into()))
}

fn vocabulary(spm: &Spm) -> Vec<(String, f64)> {
    spm.raw_pieces()
        .map(|(text, score, _)| (text.to_owned(), f64::from(score)))
        .collect()
}

/// A unigram model whose `unknown` piece is the first of that name.
fn unigram(
    vocab: Vec<(String, f64)>,
    unknown: &str,
    normalizers: Vec<NormalizerWrapper>,
    split_white_space: bool,
    special: Vec<String>,
) -> Result<Tokenizer, TokenizerError> {
    let unknown = vocab
        .iter()
        .position(|(piece, _)| piece == unknown)
        .ok_or_else(|| failed(format!("the vocabulary has no piece '{unknown}'")))?;
    let model = Unigram::from(vocab, Some(unknown), false).map_err(failed)?;
    let mut tokenizer = Tokenizer::new(ModelWrapper::from(model));
    if !normalizers.is_empty() {
        tokenizer.with_normalizer(Some(Sequence::new(normalizers)));
    }
    let metaspace = Metaspace::new('\u{2581}', PrependScheme::Always, true);
    tokenizer.with_decoder(Some(metaspace.clone()));
    if split_white_space {
        tokenizer.with_pre_tokenizer(Some(PreSequence::new(vec![
            PreTokenizerWrapper::from(WhitespaceSplit),
            PreTokenizerWrapper::from(metaspace),
        ])));
    } else {
        tokenizer.with_pre_tokenizer(Some(metaspace));
    }
    add_special(&mut tokenizer, special);
    Ok(tokenizer)
}

fn add_special(tokenizer: &mut Tokenizer, names: Vec<String>) {
    let tokens: Vec<AddedToken> = names
        .into_iter()
        .map(|name| AddedToken::from(name, true))
        .collect();
    tokenizer.add_special_tokens(&tokens);
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|n| (*n).to_owned()).collect()
}

/// mBART's and mBART-50's: fairseq's four first, the pieces, the languages, the mask.
pub(super) fn mbart(spm: &Spm, languages: &str) -> Result<Tokenizer, TokenizerError> {
    let first = ["<s>", "<pad>", "</s>", "<unk>"];
    let mut vocab: Vec<(String, f64)> = first.iter().map(|n| ((*n).to_owned(), 0.0)).collect();
    vocab.extend(vocabulary(spm).into_iter().skip(3));
    let last = languages
        .split(' ')
        .filter(|l| !l.is_empty())
        .chain(["<mask>"]);
    vocab.extend(last.clone().map(|n| (n.to_owned(), 0.0)));
    let mut special = names(&first);
    special.extend(last.map(str::to_owned));
    let normalizers = charsmap(spm)?.into_iter().chain([spaces()?]).collect();
    unigram(vocab, "<unk>", normalizers, false, special)
}

/// PEGASUS': padding, end, two masks and 101 unused names in front of the pieces.
pub(super) fn pegasus(spm: &Spm) -> Result<Tokenizer, TokenizerError> {
    let mut special = names(&["<pad>", "</s>", "<mask_1>", "<mask_2>"]);
    special.extend((2..103).map(|i| format!("<unk_{i}>")));
    let score = |i: usize| if i < 4 { 0.0 } else { -100.0 };
    let mut vocab: Vec<(String, f64)> = special
        .iter()
        .enumerate()
        .map(|(i, name)| (name.clone(), score(i)))
        .collect();
    vocab.extend(vocabulary(spm).into_iter().skip(2));
    special.push("<unk>".to_owned());
    let normalizers = match charsmap(spm)? {
        Some(rules) => vec![rules, spaces()?],
        None => {
            let newlines = Replace::new(ReplacePattern::Regex("\n".to_owned()), " ");
            vec![newlines.map_err(failed)?.into(), spaces()?]
        }
    };
    unigram(vocab, "<unk>", normalizers, false, special)
}

/// T5's, mT5's and MADLAD's: the pieces, and `extra` sentinels behind them, the last one first.
pub(super) fn t5(spm: &Spm, extra: usize) -> Result<Tokenizer, TokenizerError> {
    let sentinels: Vec<String> = (0..extra)
        .rev()
        .map(|i| format!("<extra_id_{i}>"))
        .collect();
    let mut vocab = vocabulary(spm);
    vocab.extend(sentinels.iter().map(|n| (n.clone(), 0.0)));
    let mut special = sentinels;
    special.extend(
        spm.raw_pieces()
            .filter(|(.., kind)| matches!(kind, Kind::Control | Kind::Unknown | Kind::UserDefined))
            .map(|(text, ..)| text.to_owned()),
    );
    unigram(
        vocab,
        "<unk>",
        charsmap(spm)?.into_iter().collect(),
        true,
        special,
    )
}

/// BART's byte-level merges: `vocab.json` and `merges.txt`.
pub(super) fn byte_level(vocab: &[u8], merges: &[u8]) -> Result<Tokenizer, TokenizerError> {
    let vocab = super::seq2seq::vocabulary(vocab)?;
    let merges = std::str::from_utf8(merges).map_err(failed)?;
    let merges: Vec<(String, String)> = merges
        .lines()
        .filter(|line| !line.starts_with("#version") && !line.is_empty())
        .map(|line| {
            let pair = line.split_once(' ');
            let pair = pair.ok_or_else(|| failed(format!("merges.txt: no pair in '{line}'")))?;
            Ok((pair.0.to_owned(), pair.1.to_owned()))
        })
        .collect::<Result<_, TokenizerError>>()?;
    let special: Vec<String> = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
        .into_iter()
        .filter(|name| vocab.contains_key(*name))
        .map(str::to_owned)
        .collect();
    let json = serde_json::json!({"type": "BPE", "vocab": vocab, "merges": merges});
    let model: BPE = serde_json::from_str(&json.to_string()).map_err(failed)?;
    let mut tokenizer = Tokenizer::new(ModelWrapper::from(model));
    tokenizer.with_pre_tokenizer(Some(ByteLevel::new(false, true, true)));
    tokenizer.with_decoder(Some(ByteLevel::new(false, true, true)));
    add_special(&mut tokenizer, special);
    Ok(tokenizer)
}
