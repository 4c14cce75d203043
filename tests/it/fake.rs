//! A translation model that says what a test wants it to say.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::sync::{Arc, Mutex};

use tarjama::article::{Article, plain};
use tarjama::decode::DecodeOptions;
use tarjama::text::{Direction, Lang};
use tarjama::translate::spans::spans;
use tarjama::translate::{
    Hypothesis, LineResult, ModelInfo, PipelineOptions, TranslateError, TranslatedArticle,
    Translator, Translators, translate_articles,
};

const EN_AR: Direction = Direction {
    from: Lang::EN,
    to: Lang::AR,
};
const AR_EN: Direction = Direction {
    from: Lang::AR,
    to: Lang::EN,
};

type Speak = Box<dyn Fn(&str) -> String + Send + Sync>;

/// A model of both directions that says what its function says, and remembers what it was asked.
pub(crate) struct Model {
    info: ModelInfo,
    speak: Speak,
    asked: Mutex<Vec<String>>,
}

impl Model {
    pub(crate) fn new(speak: impl Fn(&str) -> String + Send + Sync + 'static) -> Arc<Self> {
        let info = ModelInfo {
            id: "fake".to_owned(),
            revision: "1".to_owned(),
            draft: false,
            directions: vec![EN_AR, AR_EN],
        };
        Arc::new(Self {
            info,
            speak: Box::new(speak),
            asked: Mutex::default(),
        })
    }

    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

impl Translator for Model {
    fn info(&self) -> &ModelInfo {
        &self.info
    }

    fn source_tokens(&self, segment: &str, _: Direction) -> usize {
        segment.split_whitespace().count()
    }

    fn max_source_tokens(&self) -> usize {
        100
    }

    fn translate_batch(
        &self,
        segments: &[&str],
        _: Direction,
        _: &DecodeOptions,
    ) -> Result<Vec<LineResult>, TranslateError> {
        let mut asked = self.asked.lock().unwrap();
        asked.extend(segments.iter().map(|s| (*s).to_owned()));
        let answer = |segment: &&str| LineResult {
            source_ids: vec![0],
            hypotheses: vec![Hypothesis {
                text: (self.speak)(segment),
                ids: vec![0],
                score: -0.5,
                truncated: false,
            }],
            wrapped: false,
        };
        Ok(segments.iter().map(answer).collect())
    }
}

const LETTERS: [(char, char); 28] = [
    ('a', 'ا'),
    ('b', 'ب'),
    ('c', 'ص'),
    ('d', 'د'),
    ('e', 'ع'),
    ('f', 'ف'),
    ('g', 'غ'),
    ('h', 'ه'),
    ('i', 'ي'),
    ('j', 'ج'),
    ('k', 'ك'),
    ('l', 'ل'),
    ('m', 'م'),
    ('n', 'ن'),
    ('o', 'ث'),
    ('p', 'خ'),
    ('q', 'ق'),
    ('r', 'ر'),
    ('s', 'س'),
    ('t', 'ت'),
    ('u', 'ذ'),
    ('v', 'ض'),
    ('w', 'و'),
    ('x', 'ش'),
    ('y', 'ط'),
    ('z', 'ز'),
    ('\u{e9}', 'ح'),
    ('\u{ef}', 'ظ'),
];

/// Letters of the one script for those of the other, whatever stands between them in its place.
pub(crate) fn swapped(text: &str) -> String {
    let swap = |c: char| {
        let c = match c {
            'أ' | 'إ' | 'آ' | 'ء' | 'ئ' | 'ؤ' => 'ا',
            'ى' => 'ي',
            'ة' => 'ه',
            c => c.to_ascii_lowercase(),
        };
        let pair = LETTERS.iter().find(|(a, b)| *a == c || *b == c);
        pair.map_or(c, |(a, b)| if *a == c { *b } else { *a })
    };
    text.chars().map(swap).collect()
}

/// As a good translator does: protected spans stay.
pub(crate) fn good(text: &str) -> String {
    let (mut out, mut at) = (String::new(), 0);
    for span in spans(text) {
        out.push_str(&swapped(&text[at..span.range.start]));
        out.push_str(&text[span.range.clone()]);
        at = span.range.end;
    }
    out + &swapped(&text[at..])
}

pub(crate) fn each_span(text: &str, damage: impl Fn(&str) -> String) -> String {
    let (mut out, mut at) = (String::new(), 0);
    for span in spans(text) {
        out.push_str(&swapped(&text[at..span.range.start]));
        out.push_str(&damage(&text[span.range.clone()]));
        at = span.range.end;
    }
    out + &swapped(&text[at..])
}

pub(crate) fn translate_with(
    model: &Arc<Model>,
    text: &str,
    from: Lang,
    options: &PipelineOptions,
) -> TranslatedArticle {
    let article = Article {
        lang: Some(from),
        ..plain::parse(text, false)
    };
    let models = Translators::new(vec![model.clone()]);
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(1)
        .build()
        .unwrap();
    translate_articles(&[article], &models, options, &pool)
        .remove(0)
        .unwrap()
}

pub(crate) fn translate(model: &Arc<Model>, text: &str, from: Lang) -> TranslatedArticle {
    translate_with(model, text, from, &PipelineOptions::default())
}
