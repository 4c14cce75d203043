use std::sync::{Arc, Mutex};

use proptest::prelude::*;

use super::*;
use crate::article::{Article, Block, BlockKind, plain};
use crate::decode::DecodeOptions;
use crate::text::{Direction, Lang};

const EN_AR: Direction = Direction {
    from: Lang::EN,
    to: Lang::AR,
};
const EN_PT: Direction = Direction {
    from: Lang::EN,
    to: Lang::PT,
};

type Speak = dyn Fn(&str, &DecodeOptions) -> Result<String, String> + Send + Sync;

/// A model that says what its function says, and remembers what it was asked.
struct Fake {
    info: ModelInfo,
    max: usize,
    speak: Box<Speak>,
    asked: Mutex<Vec<String>>,
}

impl Fake {
    fn new(
        direction: Direction,
        speak: impl Fn(&str, &DecodeOptions) -> Result<String, String> + Send + Sync + 'static,
    ) -> Arc<Self> {
        let info = ModelInfo {
            id: "fake".to_owned(),
            revision: "1".to_owned(),
            draft: true,
            directions: vec![direction],
        };
        Arc::new(Self {
            info,
            max: 64,
            speak: Box::new(speak),
            asked: Mutex::default(),
        })
    }

    fn asked(&self) -> Vec<String> {
        let mut asked = self.asked.lock().unwrap().clone();
        asked.sort_unstable();
        asked
    }
}

impl Translator for Fake {
    fn info(&self) -> &ModelInfo {
        &self.info
    }

    fn source_tokens(&self, segment: &str, _: Direction) -> usize {
        segment.split_whitespace().count()
    }

    fn max_source_tokens(&self) -> usize {
        self.max
    }

    fn translate_batch(
        &self,
        segments: &[&str],
        direction: Direction,
        options: &DecodeOptions,
    ) -> Result<Vec<LineResult>, TranslateError> {
        self.asked
            .lock()
            .unwrap()
            .extend(segments.iter().map(|s| (*s).to_owned()));
        segments
            .iter()
            .map(|segment| {
                let text =
                    (self.speak)(segment, options).map_err(|message| TranslateError::Engine {
                        model: self.info.id.clone(),
                        message,
                    })?;
                let source_ids = vec![0; self.source_tokens(segment, direction) + 1];
                let ids = vec![0; text.split_whitespace().count() + 1];
                let best = Hypothesis {
                    text,
                    ids,
                    score: -0.5,
                    truncated: false,
                };
                Ok(LineResult {
                    source_ids,
                    hypotheses: vec![best],
                    wrapped: false,
                })
            })
            .collect()
    }
}

/// Arabic words for the letters of the source, everything that is no letter in its place.
fn arabic(text: &str) -> String {
    text.chars()
        .map(|c| {
            if c.is_ascii_alphabetic() {
                ARABIC[c as usize % 20]
            } else {
                c
            }
        })
        .collect()
}

const ARABIC: [char; 20] = [
    'ا', 'ب', 'ت', 'ج', 'ح', 'د', 'ر', 'س', 'ش', 'ص', 'ط', 'ع', 'ف', 'ق', 'ل', 'م', 'ن', 'ه', 'و',
    'ي',
];

/// Arabic for words, protected spans kept.
fn careful(text: &str) -> String {
    let (mut out, mut at) = (String::new(), 0);
    for span in spans::spans(text) {
        out.push_str(&arabic(&text[at..span.range.start]));
        out.push_str(&text[span.range.clone()]);
        at = span.range.end;
    }
    out + &arabic(&text[at..])
}

fn pool(threads: usize) -> rayon::ThreadPool {
    rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build()
        .unwrap()
}

fn translate(fake: &Arc<Fake>, text: &str) -> TranslatedArticle {
    translate_with(fake, text, &PipelineOptions::default())
}

fn translate_with(fake: &Arc<Fake>, text: &str, options: &PipelineOptions) -> TranslatedArticle {
    let article = Article {
        lang: Some(Lang::EN),
        ..plain::parse(text, false)
    };
    let models = Translators::new(vec![fake.clone()]);
    translate_articles(&[article], &models, options, &pool(1))
        .remove(0)
        .unwrap()
}

#[test]
fn keeps_paragraphs_bullets_and_blank_lines() {
    let fake = Fake::new(EN_AR, |s, _| Ok(careful(s)));
    let text = "Hello there friends.  We met.\n\n\n  - one thing\n  - other thing\n\n12:30\n";
    let done = translate(&fake, text);
    assert_eq!(done.text, arabic(text));
    assert!(done.flags == [Flag::DraftModel], "{:?}", done.segments);
    assert_eq!(done.model, "fake@1");
    assert_eq!(done.counts.source_words, 12);
}

#[test]
fn keeps_what_no_model_should_read() {
    let fake = Fake::new(EN_AR, |s, _| Ok(careful(s)));
    let text = "https://a.b/c\n\n***\n\nوصل الوزير إلى بغداد.\n\n🎉 12\n\nReal words here.";
    let done = translate(&fake, text);
    assert_eq!(fake.asked(), ["Real words here."]);
    assert!(
        done.text
            .starts_with("https://a.b/c\n\n***\n\nوصل الوزير إلى بغداد.\n\n🎉 12\n\n")
    );
    assert!(done.flags.contains(&Flag::Unchanged));
}

#[test]
fn keeps_wrapped_lines_as_the_options_say() {
    let fake = Fake::new(EN_AR, |s, _| Ok(careful(s)));
    let text = "The first line of a\nparagraph that goes on.";
    let with = |wrapped| {
        translate_with(
            &fake,
            text,
            &PipelineOptions {
                wrapped,
                ..PipelineOptions::default()
            },
        )
        .text
    };
    assert_eq!(with(Wrapped::Join), arabic(&text.replace('\n', " ")));
    assert_eq!(with(Wrapped::Keep), arabic(text));
}

#[test]
fn keeps_identical_segments_to_one_question() {
    let fake = Fake::new(EN_AR, |s, _| Ok(careful(s)));
    translate(
        &fake,
        "Again the same.\n\nAgain the same.\n\nAgain the same.",
    );
    assert_eq!(fake.asked(), ["Again the same."]);
}

#[test]
fn keeps_spans_that_a_model_damages() {
    let fake = Fake::new(EN_AR, |s, _| {
        Ok(arabic(&s.replace(['{', '}', '%', '@', '#'], "")))
    });
    for text in [
        "Hello {name}, welcome to the city.",
        "You have %(n)d new messages today.",
        "They asked @user_1 about the <b>new</b> law &amp; order.",
        "The tag #Iraq2024 was everywhere today.",
        "Good news 🎉 the plan has passed.",
    ] {
        let done = translate(&fake, text);
        for span in spans::spans(text) {
            assert!(
                done.text.contains(&text[span.range.clone()]),
                "{} of {text}",
                done.text
            );
        }
        assert!(!done.flags.contains(&Flag::SpanLost), "{text}");
    }
}

#[test]
fn keeps_inline_marks_around_what_their_words_became() {
    let fake = Fake::new(EN_AR, |s, _| Ok(careful(s)));
    for text in [
        "The **prime minister** met [the envoy](https://a.b/c_d) in Baghdad.",
        "*Two* left. **One came. Another stayed.**",
        "The <b>new</b> law and <a href=\"https://a.b\">the old one</a> differ.",
        "Run `cargo build` in **the folder** today.",
    ] {
        let done = translate(&fake, text);
        assert_eq!(done.text, careful(text), "{text}");
        assert_eq!(done.flags, [Flag::DraftModel], "{text}");
    }
    for asked in fake.asked() {
        assert!(!asked.contains(['*', '[', '<', ']']), "{asked}");
    }
}

#[test]
fn keeps_addresses_and_tags_that_find_no_place() {
    // Says words in another way when they stand in a sentence.
    let fake = Fake::new(EN_AR, |s, _| {
        let long = s.split_whitespace().count() > 4;
        let text = arabic(s);
        Ok(if long {
            text.replace(['ا', 'ب', 'ح', 'ن'], "ز")
        } else {
            text
        })
    });
    let text = "The **prime minister** met [the envoy](https://a.b/c) and <b>others</b> there.";
    let done = translate(&fake, text);
    for kept in ["](https://a.b/c)", "<b>", "</b>", "["] {
        assert!(done.text.contains(kept), "{}", done.text);
    }
    assert!(!done.text.contains("**"), "{}", done.text);
    assert!(!done.flags.contains(&Flag::SpanLost));
}

#[test]
fn fails_when_text_after_an_emoji_is_dropped() {
    let fake = Fake::new(EN_AR, |s, _| {
        Ok(arabic(s.split_inclusive('🎉').next().unwrap()))
    });
    let done = translate(&fake, "Good news 🎉 the plan has passed");
    assert_eq!(done.text, arabic("Good news 🎉 the plan has passed"));
    assert!(done.flags.contains(&Flag::Retried));
}

#[test]
fn keeps_the_better_of_several_attempts() {
    let fake = Fake::new(EN_AR, |s, options| {
        let text = arabic(s);
        Ok(if options.beam.is_none_or(|beam| beam < 4) {
            text.replace("25", "52")
        } else {
            text
        })
    });
    let done = translate(&fake, "The attack killed 25 people in the city.");
    assert!(done.text.contains("25"));
    assert_eq!(done.segments[0].flags, [Flag::Retried]);
}

#[test]
fn fails_when_a_fault_stays() {
    let loops = Fake::new(EN_AR, |_, _| {
        Ok("قال قال قال قال قال قال قال قال".to_owned())
    });
    let text = "The minister said that he would come soon.";
    assert!(translate(&loops, text).flags.contains(&Flag::Repeated));
    let drops = Fake::new(EN_AR, |s, _| Ok(arabic(&s.replace("25", ""))));
    let text = "The attack killed 25 people in the city.";
    assert_eq!(
        translate(&drops, text).segments[0].flags,
        [Flag::NumberLost]
    );
    let echo = Fake::new(EN_AR, |s, _| Ok(s.to_owned()));
    assert!(translate(&echo, text).flags.contains(&Flag::Copied));
    let mute = Fake::new(EN_AR, |_, _| Ok(String::new()));
    assert!(translate(&mute, text).flags.contains(&Flag::Empty));
}

#[test]
fn keeps_capitals_readable_for_the_model() {
    let fake = Fake::new(EN_AR, |s, _| Ok(careful(s)));
    translate(&fake, "PRESIDENT VISITS NATO TODAY");
    assert_eq!(fake.asked()[0], "President visits NATO today");
}

#[test]
fn keeps_headlines_readable_for_the_model() {
    let fake = Fake::new(EN_AR, |s, _| Ok(careful(s)));
    let done = translate(
        &fake,
        "# Iraqi Minister Visits Flood Victims in Basra\n\nHe Said So.",
    );
    assert_eq!(
        fake.asked(),
        [
            "He Said So.",
            "Iraqi minister visits flood victims in Basra"
        ]
    );
    assert_eq!(
        done.segments[0].source,
        "Iraqi Minister Visits Flood Victims in Basra"
    );
}

#[test]
fn keeps_every_word_of_a_segment_over_the_limit() {
    let fake = Fake::new(EN_AR, |s, _| {
        if s.split_whitespace().count() > 64 {
            Err("too long".to_owned())
        } else {
            Ok(careful(s))
        }
    });
    let text = "alpha beta gamma delta, ".repeat(40);
    let done = translate(&fake, text.trim());
    assert_eq!(done.text.split_whitespace().count(), 160);
    assert!(done.flags.contains(&Flag::Wrapped));
}

#[test]
fn fails_when_the_engine_fails_on_one_article_alone() {
    let fake = Fake::new(EN_AR, |s, _| {
        if s.contains("poison") {
            Err("no".to_owned())
        } else {
            Ok(careful(s))
        }
    });
    let texts = [
        "Good words here.",
        "Some poison here.",
        "",
        "Other words here.",
    ];
    let articles: Vec<Article> = texts.iter().map(|t| plain::parse(t, false)).collect();
    let models = Translators::new(vec![fake]);
    let done = translate_articles(&articles, &models, &PipelineOptions::default(), &pool(2));
    assert!(done[0].is_ok() && done[3].is_ok());
    assert!(matches!(done[1], Err(ArticleError::Engine(_))));
    assert!(matches!(done[2], Err(ArticleError::NoText)));
    let french = Article {
        lang: Lang::parse("fr"),
        ..plain::parse("Bonjour tout le monde.", false)
    };
    let done = translate_articles(&[french], &models, &PipelineOptions::default(), &pool(1));
    assert!(matches!(done[0], Err(ArticleError::UnsupportedLanguage(_))));
}

#[test]
fn keeps_lines_in_order_under_guards() {
    let fake = Fake::new(EN_AR, |s, _| Ok(careful(s)));
    let models = Translators::new(vec![fake]);
    let lines = ["Some words here", "", "12", "More words there"];
    let options = PipelineOptions::default();
    let done = translate_lines_guarded(&lines, EN_AR, &models, &options, &pool(2)).unwrap();
    let targets: Vec<&str> = done.iter().map(|s| s.target.as_str()).collect();
    assert_eq!(targets, [&arabic(lines[0]), "", "12", &arabic(lines[3])]);
    assert_eq!(done[3].block, 3);
}

fn block() -> impl Strategy<Value = Block> {
    let kind = prop_oneof![
        Just(BlockKind::Paragraph),
        Just(BlockKind::Heading),
        Just(BlockKind::ListItem),
        Just(BlockKind::Blank),
    ];
    let word = prop_oneof![
        "[a-zA-Z]{1,9}",
        "[0-9]{1,4}",
        "[.!?]",
        "\\PC{0,4}",
        "[\n ]",
        Just("{name}".to_owned()),
        Just("%s".to_owned()),
        Just("🎉".to_owned()),
        Just("https://a.b/c?d".to_owned()),
        Just("<b>".to_owned()),
        Just("WORDS".to_owned()),
        Just("كلمة".to_owned()),
    ];
    let text = prop::collection::vec(word, 0..12).prop_map(|words| words.join(" "));
    (kind, "[ #*-]{0,3}", text, "[ \n]{0,3}").prop_map(|(kind, prefix, text, separator)| Block {
        kind,
        prefix,
        text,
        separator,
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn keeps_every_byte_through_an_echo_for_any_threads_and_batches(
        blocks in prop::collection::vec(block(), 1..8),
    ) {
        let article = Article {
            lang: Some(Lang::EN),
            title: Some("A title".to_owned()),
            blocks,
            ..Article::default()
        };
        let echo = Fake::new(EN_PT, |s, _| Ok(s.to_owned()));
        let models = Translators::new(vec![echo]);
        let mut seen: Option<TranslatedArticle> = None;
        for (threads, batch_tokens) in [(1, 16), (2, 16), (1, 4096), (2, 4096)] {
            let options = PipelineOptions {
                to: Some(Lang::PT),
                wrapped: Wrapped::Keep,
                batch_tokens,
                ..PipelineOptions::default()
            };
            let articles = [article.clone()];
            let done = translate_articles(&articles, &models, &options, &pool(threads)).remove(0);
            let Ok(done) = done else {
                prop_assert!(article.text().trim().is_empty());
                continue;
            };
            prop_assert_eq!(&done.text, &article.text());
            if let Some(seen) = &seen {
                prop_assert_eq!(seen, &done);
            }
            seen = Some(done);
        }
    }
}

#[test]
fn keeps_marks_around_signs_that_are_no_words() {
    for text in ["WORDS *¡*", "WORDS **¡** more", "*¡*", "Words *¡*"] {
        let article = Article {
            lang: Some(Lang::EN),
            blocks: vec![Block {
                kind: BlockKind::Paragraph,
                prefix: String::new(),
                text: text.to_owned(),
                separator: String::new(),
            }],
            ..Article::default()
        };
        let echo = Fake::new(EN_PT, |s, _| Ok(s.to_owned()));
        let models = Translators::new(vec![echo]);
        let options = PipelineOptions {
            to: Some(Lang::PT),
            ..PipelineOptions::default()
        };
        let done = translate_articles(&[article], &models, &options, &pool(1)).remove(0);
        assert_eq!(done.unwrap().text, text);
    }
}
