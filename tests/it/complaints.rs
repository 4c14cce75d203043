//! What users of such tools complain of, each as a kind, in both languages, with models that do
//! the damage. The rows that have tests of their own elsewhere: runs and resume (`run`), downloads
//! (`fetch.rs`, `sources.rs`), capitals and headlines (`translate/recase.rs`), batches and threads
//! (`translate/tests.rs`), Arabic sentences (`text/segment/tests`).

use tarjama::article::{Article, plain};
use tarjama::text::Lang;
use tarjama::translate::spans::{is_translatable, spans};
use tarjama::translate::{Flag, PipelineOptions, Wrapped};

use crate::fake::{Model, each_span, good, swapped, translate, translate_with};

const SPANS: &[&str] = &[
    "https://example.org/a/b?c=d&e=1",
    "www.example.org/News_2024",
    "example.com/x",
    "first.last+tag@mail.example.org",
    "@shafaq_news",
    "#Iraq2024",
    "#العراق_الآن",
    "🎉",
    "👨‍👩‍👧",
    "🇮🇶",
    "👍🏽",
    "{name}",
    "{{ user.name }}",
    "%s",
    "%1$s",
    "%(count)d",
    "${total}",
    "<br/>",
    "<img src=\"a.png\">",
    "&nbsp;",
    "&#1575;",
    "`cargo run`",
];

const AROUND: &[(&str, Lang)] = &[
    ("The words before @@ and those behind it stay", Lang::EN),
    ("@@ opens a sentence of many words here", Lang::EN),
    ("A sentence of many words ends with @@", Lang::EN),
    ("They said (@@) and went home again.", Lang::EN),
    ("One here @@, another there @@ and no more.", Lang::EN),
    ("الكلمات قبل @@ والكلمات بعده تبقى كما هي", Lang::AR),
    ("@@ في أول جملة من كلمات كثيرة", Lang::AR),
    ("جملة من كلمات كثيرة تنتهي بهذا @@", Lang::AR),
    ("واحد هنا @@، وآخر هناك @@ ولا شيء بعد.", Lang::AR),
];

#[test]
fn keeps_every_kind_of_span_in_its_place_whatever_a_model_does_to_it() {
    type Damage = fn(&str) -> String;
    let damages: &[(&str, Damage)] = &[
        ("drops", |t| each_span(t, |_| String::new())),
        ("translates", |t| swapped(t)),
        ("spaces out", |t| {
            each_span(t, |s| {
                let letters: Vec<String> = s.chars().map(String::from).collect();
                letters.join(" ")
            })
        }),
        ("writes large", |t| each_span(t, str::to_uppercase)),
        ("stops at", |t| {
            let end = spans(t).first().map_or(t.len(), |s| s.range.end);
            good(&t[..end])
        }),
        ("moves to the end", |t| {
            let found: String = spans(t).iter().map(|s| &t[s.range.clone()]).collect();
            each_span(t, |_| String::new()) + &found
        }),
    ];
    let mut wrong = Vec::new();
    for (what, damage) in damages {
        let model = Model::new(damage);
        for (around, from) in AROUND {
            for span in SPANS {
                let text = around.replace("@@", span);
                let done = translate(&model, &text, *from);
                let kept = spans(&text).iter().all(|s| {
                    let span = &text[s.range.clone()];
                    done.text.matches(span).count() >= text.matches(span).count()
                });
                // A span that is there, though elsewhere, is a translator's right.
                let placed = *what == "moves to the end" || done.text == good(&text);
                let flagged = done.flags.contains(&Flag::SpanLost);
                if !(flagged || kept && placed) {
                    wrong.push(format!("{what} | {text} | {}", done.text));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}: {wrong:#?}", wrong.len());
}

#[test]
fn fails_when_a_span_cannot_be_placed() {
    // Says nothing right, whatever is asked.
    let model = Model::new(|_| String::new());
    for span in SPANS {
        let text = format!("The words before {span} and those behind it stay");
        let done = translate(&model, &text, Lang::EN);
        let fault = [Flag::SpanLost, Flag::Empty, Flag::TooShort];
        assert!(done.flags.iter().any(|f| fault.contains(f)), "{text}");
    }
}

#[test]
fn keeps_blank_and_symbol_only_segments_from_the_model() {
    let model = Model::new(|_| "كلام مخترع لا أصل له في النص invented words".to_owned());
    let texts = [
        "",
        " ",
        "\u{a0}",
        "\u{200f}",
        "***",
        "* * *",
        "---",
        "=====",
        "…",
        ". . .",
        "،",
        "؟!",
        "«»",
        "()",
        "12:30",
        "١٢:٣٠",
        "2024-07-22",
        "٣٫٥٪",
        "$1,000",
        "+964 770 000 0000",
        "🎉🎉",
        "→",
        "100%",
        "#1",
        "https://example.org/",
        "@user",
        "{name}",
        "%d",
        "<br/>",
        "1.",
        "•",
        "©",
        "|",
    ];
    for from in [Lang::EN, Lang::AR] {
        for text in texts {
            let whole = format!("{text}\n\n{text}\n");
            let article = Article {
                lang: Some(from),
                ..plain::parse(&whole, false)
            };
            if article.text().trim().is_empty() {
                continue;
            }
            let done = translate(&model, &whole, from);
            assert_eq!(done.text, whole);
            assert_eq!(done.flags, [], "{text}");
        }
    }
    assert_eq!(model.asked(), [""; 0]);
}

#[test]
fn fails_when_a_model_loops_or_invents_on_short_texts() {
    let short = [
        ("Home", Lang::EN),
        ("Read more", Lang::EN),
        ("Sports", Lang::EN),
        ("Breaking news", Lang::EN),
        ("Iraq: floods", Lang::EN),
        ("الرئيسية", Lang::AR),
        ("اقرأ المزيد", Lang::AR),
        ("رياضة", Lang::AR),
        ("عاجل", Lang::AR),
        ("العراق: فيضانات", Lang::AR),
    ];
    let arabic = "هذا كلام طويل لم يقله أحد في النص ولا أصل له فيه أبدا يا صاحبي";
    let english = "this is a long text that nobody has written anywhere in the source at all";
    type Invent = fn(&str, bool) -> String;
    let faults: &[Invent] = &[
        |_, arabic| if arabic { "لا " } else { "no " }.repeat(30),
        |_, arabic| {
            let words = if arabic {
                "قال الرجل ثم "
            } else {
                "the man said "
            };
            words.repeat(6)
        },
        |_, arabic| if arabic { "ه" } else { "h" }.repeat(40),
        |s, _| s.to_owned(),
    ];
    for (text, from) in short {
        let to_arabic = from == Lang::EN;
        for (at, fault) in faults.iter().enumerate() {
            let fault = *fault;
            let model = Model::new(move |s| fault(s, to_arabic));
            let done = translate(&model, text, from);
            assert_ne!(done.flags, [], "fault {at} on {text}: {}", done.text);
        }
        let invented = if to_arabic { arabic } else { english };
        let model = Model::new(move |_| invented.to_owned());
        let done = translate(&model, text, from);
        assert!(done.flags.contains(&Flag::TooLong), "{text}");
        let model = Model::new(good);
        assert_eq!(translate(&model, text, from).flags, [], "{text}");
    }
}

#[test]
fn fails_when_a_sentence_or_most_of_one_is_dropped() {
    let texts = [
        (
            "The minister arrived in the city on Monday. He met the governor and left.",
            Lang::EN,
        ),
        (
            "Officials said the road was closed, the bridge was open, and the market was quiet.",
            Lang::EN,
        ),
        (
            "وصل الوزير إلى المدينة يوم الاثنين. التقى المحافظ ثم غادر.",
            Lang::AR,
        ),
        (
            "قال مسؤولون إن الطريق مغلق، وإن الجسر مفتوح، وإن السوق هادئ.",
            Lang::AR,
        ),
    ];
    for (text, from) in texts {
        // Whole sentences never reach a model together, so none can drop one.
        let model = Model::new(good);
        assert_eq!(translate(&model, text, from).text, good(text));
        for asked in model.asked() {
            let inner = asked.trim_end_matches('.');
            assert!(!inner.contains(". "), "{asked}");
        }
        let model = Model::new(|s| {
            let keep = s.split_whitespace().count() / 3;
            let words: Vec<&str> = s.split_whitespace().take(keep.max(1)).collect();
            good(&words.join(" "))
        });
        let done = translate(&model, text, from);
        assert!(
            done.flags.contains(&Flag::TooShort),
            "{text}: {}",
            done.text
        );
    }
}

#[test]
fn keeps_text_that_is_in_the_target_language_already() {
    let arabic = "وصل الوزير إلى المدينة صباح اليوم.";
    let english = "The minister arrived in the city this morning.";
    for (text, from, asked) in [
        (format!("{english}\n\n{arabic}\n"), Lang::EN, english),
        (format!("{arabic}\n\n{english}\n"), Lang::AR, arabic),
        (format!("{english} {arabic} {english}"), Lang::EN, english),
    ] {
        let model = Model::new(good);
        let done = translate(&model, &text, from);
        assert_eq!(model.asked(), [asked]);
        assert!(done.flags.contains(&Flag::Unchanged));
        let kept = if from == Lang::EN { arabic } else { english };
        assert!(done.text.contains(kept));
    }
}

#[test]
fn keeps_one_language_under_all_its_spellings() {
    for (lang, spellings) in [
        (
            Lang::AR,
            &[
                "ar",
                "AR",
                "Ar",
                "ara",
                "arb",
                "ar_AR",
                "ar-IQ",
                "ar_EG.UTF-8",
                "arb_Arab",
                "arb-Arab",
                "ara_Arab",
                "Arabic",
                "ARABIC",
                " ar ",
                "العربية",
            ][..],
        ),
        (
            Lang::EN,
            &[
                "en",
                "EN",
                "eng",
                "en_US",
                "en-GB",
                "en_US.UTF-8",
                "eng_Latn",
                "English",
                "ENGLISH",
            ],
        ),
    ] {
        for spelling in spellings {
            assert_eq!(Lang::parse(spelling), Some(lang), "{spelling}");
        }
    }
    for wrong in ["", " ", "e", "english language", "12", "a1", "->"] {
        assert_eq!(Lang::parse(wrong), None, "{wrong}");
    }
}

#[test]
fn keeps_blocks_exactly_and_joins_lines_that_a_program_wrapped() {
    let english = "The governor of the province said on Monday that work\n\
                   on the new bridge over the river would begin in March\n\
                   and that the old one would stay open until the end.\n";
    let arabic = "قال محافظ المدينة يوم الاثنين إن العمل في الجسر الجديد\n\
                  على النهر سيبدأ في الشهر الثالث من العام المقبل وإن\n\
                  الجسر القديم سيبقى مفتوحا حتى نهاية الأعمال كلها.\n";
    for (text, from) in [(english, Lang::EN), (arabic, Lang::AR)] {
        let model = Model::new(good);
        let done = translate(&model, text, from);
        let joined = text.trim_end().replace('\n', " ");
        assert_eq!(model.asked(), [joined.as_str()]);
        assert_eq!(done.text, good(&joined) + "\n");
        let keep = PipelineOptions {
            wrapped: Wrapped::Keep,
            ..PipelineOptions::default()
        };
        assert_eq!(translate_with(&model, text, from, &keep).text, good(text));
    }
    // Lines that are short, or end sentences, are no wrapped paragraph.
    for (text, from) in [
        ("Roses are red,\nviolets are blue.\n", Lang::EN),
        ("The Ministry\n12 River Street\nBaghdad\n", Lang::EN),
        ("He came.\nShe left.\nThey stayed.\n", Lang::EN),
        ("\n\n  Two words\n\n\n\n\tMore words  \n \n", Lang::EN),
        (
            "- one\n- two\n\n  * three\n  * four\n\n1. five\n2) six\n",
            Lang::EN,
        ),
        ("العنوان\nشارع النهر\nبغداد\n", Lang::AR),
        ("• أولا\n• ثانيا\n\n١- ثالثا\n٢- رابعا\n", Lang::AR),
        ("جاء.\r\nذهب.\r\n\r\nبقي.", Lang::AR),
    ] {
        let model = Model::new(good);
        assert_eq!(translate(&model, text, from).text, good(text), "{text:?}");
        assert!(model.asked().iter().all(|s| is_translatable(s)));
    }
}

#[test]
fn fails_when_any_kind_of_number_is_changed() {
    let numbers = [
        "7",
        "25",
        "300",
        "1,250",
        "12,345,678",
        "3.5",
        "0.25",
        "2024",
        "1990s",
        "50%",
        "$2.5bn",
        "22/7/2024",
        "2024-07-22",
        "17:30",
        "2-1",
        "10,000-12,000",
        "٢٥",
        "٣٫٥",
        "١٬٢٥٠",
        "٥٠٪",
        "۲۵",
    ];
    let around = [
        ("Officials counted @@ in the city on that day", Lang::EN),
        ("@@ were counted in the city on that day", Lang::EN),
        ("أحصى المسؤولون @@ في المدينة في ذلك اليوم", Lang::AR),
    ];
    type Damage = fn(char) -> Option<char>;
    let damages: &[Damage] = &[
        |_| None,
        |_| Some('9'),
        |c| char::from_u32(u32::from(c) ^ 1),
    ];
    for (text, from) in around {
        for number in numbers {
            let text = text.replace("@@", number);
            let model = Model::new(good);
            assert_eq!(translate(&model, &text, from).flags, [], "{text}");
            for (at, damage) in damages.iter().enumerate() {
                let damage = *damage;
                let model = Model::new(move |s| {
                    let digit = |c: char| c.is_numeric();
                    good(s)
                        .chars()
                        .filter_map(|c| if digit(c) { damage(c) } else { Some(c) })
                        .collect()
                });
                let done = translate(&model, &text, from);
                assert!(
                    done.flags.contains(&Flag::NumberLost),
                    "{at}: {text} | {}",
                    done.text
                );
            }
        }
    }
}
