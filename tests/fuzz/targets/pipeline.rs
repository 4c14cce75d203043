//! Whole articles through a model that answers oddly: blocks keep their separators, nothing panics.
#![no_main]
use libfuzzer_sys::fuzz_target;
use std::sync::{Arc, LazyLock};
use tarjama::article::{Article, plain};
use tarjama::decode::DecodeOptions;
use tarjama::text::{Direction, Lang};
use tarjama::translate::{
    Hypothesis, LineResult, ModelInfo, PipelineOptions, TranslateError, Translator, Translators,
    translate_articles,
};

/// Answers each segment in the way that a byte names.
struct Odd {
    info: ModelInfo,
    way: u8,
}

fn answer(way: u8, text: &str) -> String {
    match way % 8 {
        0 => text.to_owned(),
        1 => String::new(),
        2 => text.chars().rev().collect(),
        3 => text.replace(|c: char| c.is_numeric(), "7"),
        4 => text.replace(|c: char| !c.is_alphanumeric(), ""),
        5 => text.replace(|c: char| c.is_alphabetic(), "ق"),
        6 => "قال ".repeat(40),
        _ => format!("\u{200f}{text}\n\n{text}"),
    }
}

impl Translator for Odd {
    fn info(&self) -> &ModelInfo {
        &self.info
    }

    fn source_tokens(&self, segment: &str, _: Direction) -> usize {
        segment.split_whitespace().count()
    }

    fn max_source_tokens(&self) -> usize {
        12
    }

    fn translate_batch(
        &self,
        segments: &[&str],
        _: Direction,
        _: &DecodeOptions,
    ) -> Result<Vec<LineResult>, TranslateError> {
        let line = |text: &&str| {
            let hypothesis = Hypothesis {
                text: answer(self.way, text),
                ids: vec![1, 0],
                score: -1.0,
                truncated: self.way & 8 != 0,
            };
            LineResult { source_ids: vec![1, 0], hypotheses: vec![hypothesis], wrapped: false }
        };
        Ok(segments.iter().map(line).collect())
    }
}

static POOL: LazyLock<rayon::ThreadPool> = LazyLock::new(|| {
    rayon::ThreadPoolBuilder::new().num_threads(1).build().expect("a pool of one thread")
});

fuzz_target!(|data: (u8, &str)| {
    let (way, text) = data;
    let article = Article { lang: Some(Lang::EN), ..plain::parse(text, way & 16 != 0) };
    let direction = Direction { from: Lang::EN, to: Lang::AR };
    let info = ModelInfo {
        id: "odd".to_owned(),
        revision: "1".to_owned(),
        draft: false,
        directions: vec![direction],
    };
    let models = Translators::new(vec![Arc::new(Odd { info, way })]);
    let options = PipelineOptions { to: Some(Lang::AR), ..PipelineOptions::default() };
    let done = translate_articles(&[article.clone()], &models, &options, &POOL).remove(0);
    let Ok(done) = done else { return };
    let mut rest = done.text.as_str();
    for block in &article.blocks {
        let at = rest.find(&block.separator).expect("every separator, in order");
        rest = &rest[at + block.separator.len()..];
    }
});
