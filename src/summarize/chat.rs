//! Summaries that a chat model writes.
//!
//! The prompt is the file's own chat template around one request and the text of the article,
//! datelines and boilerplate left out. Search is greedy and bars repeated runs of words. A text
//! longer than the window is cut between sentences; the parts' summaries are joined and summarised
//! again, and the record says so.
//!
//! A small model invents and repeats. So of what it wrote a sentence is dropped that has a number
//! which the article has not, that says again what an earlier one said, or that the limit of tokens
//! cut off; when none is left, there is no summary and the caller takes another way. Invented words
//! and names are not found out.
//!
//! Measured with SmolLM2 135M on 24 agency articles of 160 words, two sentences, against abstracts
//! of one sentence: ROUGE-1 F1 0.24 where the extractive method has 0.27, one article of 24 without
//! a summary. The system message that the model's makers trained summaries with (0.23), another
//! wording (0.23) and no bar on repetition (0.25) make no difference that 24 articles could show.

use rayon::prelude::*;

use super::work::Work;
use super::{Document, Size, SummarizeError, Summarizer, Summary, is_boilerplate, strip_dateline};
use crate::article::BlockKind;
use crate::decode::{self, Prompt, Rules};
use crate::engine::causal::CausalModel;
use crate::text::{Lang, lang, segment, split_long, terms};
use crate::tokenize::chat::ChatTemplate;
use crate::tokenize::gguf::GgufTokenizer;
use crate::tokenize::hf::TokenizerError;
use crate::translate::numbers;

/// Tokens of text in one prompt at most: attention grows with the square of it, and small models
/// lose the thread of longer texts.
const WINDOW: usize = 2048;
/// Tokens of an answer for each sentence asked for, and at most.
const TOKENS_A_SENTENCE: usize = 64;
const MOST_TOKENS: usize = WINDOW / 4;
/// Prompt tokens that are decoded together: what caches and buffers of one thread hold.
const BATCH_TOKENS: usize = 3072;
/// No run of so many tokens comes twice in an answer.
const NO_REPEAT_NGRAM: usize = 5;
/// Share of a sentence's terms in an earlier one from which it repeats it.
const REPEATED: f64 = 0.8;

/// A chat model as a summariser.
#[derive(Debug)]
pub struct ChatSummarizer {
    name: String,
    languages: Vec<Lang>,
    model: CausalModel,
    tokenizer: GgufTokenizer,
    template: ChatTemplate,
}

/// One prompt.
struct Job {
    work: usize,
    prompt: Prompt,
}

impl ChatSummarizer {
    /// A summariser over loaded weights; `languages` are those that the model reads.
    #[must_use]
    pub fn new(
        id: &str,
        revision: &str,
        languages: Vec<Lang>,
        model: CausalModel,
        tokenizer: GgufTokenizer,
        template: ChatTemplate,
    ) -> Self {
        Self {
            name: format!("{id}@{revision}"),
            languages,
            model,
            tokenizer,
            template,
        }
    }

    /// Ids of the prompt for `sentences` sentences on `text`.
    ///
    /// # Errors
    /// When the tokeniser fails.
    pub fn prompt_ids(&self, text: &str, sentences: usize) -> Result<Vec<u32>, TokenizerError> {
        let plural = if sentences == 1 { "" } else { "s" };
        let request = format!("Summarize this news article in {sentences} sentence{plural}:");
        self.template
            .prompt(&self.tokenizer, None, &format!("{request}\n\n{text}"))
    }

    fn tokens(&self, text: &str) -> usize {
        // A text that does not encode fails when its prompt is made, with the reason.
        self.tokenizer.encode(text).map_or(0, |ids| ids.len())
    }

    fn answer_tokens(sentences: usize) -> usize {
        sentences
            .saturating_mul(TOKENS_A_SENTENCE)
            .saturating_add(32)
            .min(MOST_TOKENS)
    }

    /// Tokens of text that fit beside the request and the answer.
    fn room(&self) -> usize {
        const REQUEST: usize = 96;
        let context = self.model.config().context_length;
        context
            .saturating_sub(REQUEST + MOST_TOKENS)
            .clamp(context / 4, WINDOW)
    }

    /// Joins pieces (text, and what stands before it) to texts that fit the window.
    fn windows(&self, pieces: &[(&'static str, String)]) -> Vec<String> {
        let room = self.room();
        let mut windows: Vec<String> = Vec::new();
        let mut used = 0;
        let mut add = |gap: &str, text: &str| {
            // One token for the gap.
            let tokens = self.tokens(text) + 1;
            match windows.last_mut() {
                Some(window) if used + tokens <= room => {
                    window.push_str(gap);
                    window.push_str(text);
                    used += tokens;
                }
                _ => {
                    windows.push(text.to_owned());
                    used = tokens;
                }
            }
        };
        for (gap, text) in pieces {
            let fits = |part: &str| self.tokens(part) < room;
            if fits(text) {
                add(gap, text);
                continue;
            }
            for range in split_long(text, &fits) {
                add(" ", &text[range]);
            }
        }
        windows
    }

    fn start(&self, document: &Document<'_>, size: Size) -> Work {
        let pieces = pieces(document);
        let sentences = size.of(pieces.len());
        let windows = self.windows(&pieces);
        Work::new(windows, document.lang, sentences, self.reads(document.lang))
    }

    /// The prompts of all windows under way.
    fn jobs(&self, works: &mut [Work]) -> Vec<Job> {
        let mut jobs = Vec::new();
        for (index, work) in works.iter_mut().enumerate() {
            if work.done.is_some() {
                continue;
            }
            for window in &work.windows {
                match self.prompt_ids(window, work.sentences) {
                    Ok(ids) => {
                        let context = self.model.config().context_length;
                        let room = context.saturating_sub(ids.len());
                        if room < TOKENS_A_SENTENCE {
                            let message = format!("a prompt of {} tokens fills it", ids.len());
                            work.done = Some(Err(message));
                            break;
                        }
                        let prompt = Prompt {
                            ids,
                            max_new_tokens: Self::answer_tokens(work.sentences).min(room),
                        };
                        jobs.push(Job {
                            work: index,
                            prompt,
                        });
                    }
                    Err(error) => {
                        work.done = Some(Err(error.to_string()));
                        break;
                    }
                }
            }
        }
        jobs
    }

    /// Answers to the prompts of one batch, with whether the limit cut them off.
    fn decode(&self, jobs: &[Job]) -> Vec<Result<(String, bool), String>> {
        let prompts: Vec<Prompt> = jobs.iter().map(|job| job.prompt.clone()).collect();
        let mut rules = Rules::new(self.template.end());
        rules.no_repeat_ngram = NO_REPEAT_NGRAM;
        let mut session = self.model.session();
        decode::greedy(&mut session, &prompts, &rules)
            .into_iter()
            .map(|decoded| {
                let text = self.tokenizer.decode(&decoded.ids);
                let text = text.map_err(|e| e.to_string())?;
                Ok((text, decoded.truncated))
            })
            .collect()
    }

    /// Takes the answers to a work's windows in.
    fn take(&self, work: &mut Work, answers: Vec<Result<(String, bool), String>>) {
        let mut kept = Vec::new();
        let mut why = String::from("it wrote nothing");
        for answer in answers {
            let usable = answer.and_then(|(text, cut)| {
                usable(&text, cut, &work.source, work.lang, work.sentences)
            });
            match usable {
                Ok(text) => kept.push(text),
                Err(reason) => why = reason,
            }
        }
        if work.windows.len() == 1 || kept.is_empty() {
            work.done = Some(kept.into_iter().next().ok_or(why));
            return;
        }
        let pieces: Vec<(&'static str, String)> =
            kept.into_iter().map(|text| ("\n\n", text)).collect();
        work.windows = self.windows(&pieces);
    }
}

impl Summarizer for ChatSummarizer {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn reads(&self, lang: Lang) -> bool {
        self.languages.contains(&lang)
    }

    fn writes(&self) -> bool {
        true
    }

    fn summarize(
        &self,
        documents: &[Document<'_>],
        size: Size,
    ) -> Vec<Result<Summary, SummarizeError>> {
        let mut works: Vec<Work> = documents
            .par_iter()
            .map(|document| self.start(document, size))
            .collect();
        loop {
            let jobs = self.jobs(&mut works);
            if jobs.is_empty() {
                break;
            }
            let batches = batches(&jobs);
            let answers: Vec<_> = batches
                .into_par_iter()
                .flat_map_iter(|batch| self.decode(batch))
                .collect();
            let mut by_work: Vec<Vec<_>> = works.iter().map(|_| Vec::new()).collect();
            for (job, answer) in jobs.iter().zip(answers) {
                by_work[job.work].push(answer);
            }
            for (work, answers) in works.iter_mut().zip(by_work) {
                if work.done.is_none() {
                    self.take(work, answers);
                }
            }
        }
        let result = |work: &mut Work| match work.result(&self.name) {
            Some(result) => result,
            None => unreachable!("the loop ends when all works are done"),
        };
        works.iter_mut().map(result).collect()
    }
}

/// Neighbouring jobs within the budget; a job above it goes alone.
fn batches(jobs: &[Job]) -> Vec<&[Job]> {
    let mut out = Vec::new();
    let (mut start, mut tokens) = (0, 0);
    for (at, job) in jobs.iter().enumerate() {
        let next = job.prompt.ids.len() + job.prompt.max_new_tokens;
        if at > start && tokens + next > BATCH_TOKENS {
            out.push(&jobs[start..at]);
            (start, tokens) = (at, 0);
        }
        tokens += next;
    }
    if start < jobs.len() {
        out.push(&jobs[start..]);
    }
    out
}

/// The sentences that carry news, each with what stands before it.
pub(super) fn pieces(document: &Document<'_>) -> Vec<(&'static str, String)> {
    let paragraph = |kind| kind == BlockKind::Paragraph;
    let opening = document.sentences.iter().position(|s| paragraph(s.kind));
    let mut out = Vec::new();
    let mut block = None;
    for (at, sentence) in document.sentences.iter().enumerate() {
        let mut text = sentence.text.trim();
        if text.is_empty() || paragraph(sentence.kind) && is_boilerplate(text) {
            continue;
        }
        if opening == Some(at) {
            text = strip_dateline(text, document.lang);
        }
        let gap = if block == Some(sentence.block) {
            " "
        } else {
            "\n\n"
        };
        block = Some(sentence.block);
        out.push((gap, text.to_owned()));
    }
    out
}

/// The sentences of an answer that a reader may be shown, `most` at most.
pub(super) fn usable(
    answer: &str,
    cut: bool,
    source: &str,
    lang: Lang,
    most: usize,
) -> Result<String, String> {
    let mut sentences: Vec<&str> = Vec::new();
    for line in answer.lines().map(|line| bare(line.trim())) {
        // `Here is the summary:` is none.
        if !line.ends_with(':') {
            let ranges = segment::segments(line, lang);
            sentences.extend(ranges.into_iter().map(|range| &line[range]));
        }
    }
    if cut && !answer.trim_end().ends_with(['.', '!', '?', '؟', '"', '”']) {
        sentences.pop();
    }
    if sentences.is_empty() {
        return Err("it wrote no whole sentence".to_owned());
    }
    let mut kept: Vec<&str> = Vec::new();
    let mut seen: Vec<Vec<String>> = Vec::new();
    for sentence in sentences {
        // A name alone is boilerplate too.
        if is_boilerplate(sentence) || numbers::compare(source, sentence).added {
            continue;
        }
        let own = terms::terms(sentence, lang);
        if seen.iter().any(|earlier| share(&own, earlier) >= REPEATED) {
            continue;
        }
        seen.push(own);
        kept.push(sentence);
        if kept.len() == most {
            break;
        }
    }
    if kept.is_empty() {
        let message =
            "every sentence that it wrote had a number that the article has not, or no news";
        return Err(message.to_owned());
    }
    let text = kept.join(" ");
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match lang::detect(&text) {
        Some(found) if found == lang => Ok(text),
        _ => Err(format!("what it wrote is not in {lang}")),
    }
}

/// A line without the bullet or number of a list.
fn bare(line: &str) -> &str {
    let rest = line.trim_start_matches(|c: char| c.is_ascii_digit());
    let numbered = rest.len() < line.len() && line.len() - rest.len() < 3;
    let rest = match rest.strip_prefix(['.', ')']) {
        Some(rest) if numbered => rest,
        _ => line.strip_prefix(['-', '*', '•']).unwrap_or(line),
    };
    if rest.starts_with(char::is_whitespace) {
        rest.trim_start()
    } else {
        line
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts of words in a sentence")]
fn share(terms: &[String], earlier: &[String]) -> f64 {
    let common = terms.iter().filter(|t| earlier.contains(t)).count();
    common as f64 / terms.len().max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::linear::Compute;
    use crate::formats::gguf::Gguf;
    use crate::kernel::Kernels;
    use crate::summarize::Sentence;

    const FILE: &[u8] = include_bytes!("../../tests/data/tiny_llama.gguf");

    fn tiny() -> ChatSummarizer {
        let gguf = Gguf::parse(&[FILE]).unwrap();
        let tokenizer = GgufTokenizer::from_gguf(&gguf).unwrap();
        let template = ChatTemplate::from_gguf(&gguf, &tokenizer).unwrap();
        let model = CausalModel::load(&gguf, Kernels::detect(), Compute::Int8).unwrap();
        ChatSummarizer::new("tiny", "1", vec![Lang::EN], model, tokenizer, template)
    }

    fn document<'a>(texts: &[&'a str], lang: Lang) -> Document<'a> {
        let sentence = |(block, text): (usize, &&'a str)| Sentence {
            text,
            block: block / 2,
            kind: BlockKind::Paragraph,
        };
        Document {
            sentences: texts.iter().enumerate().map(sentence).collect(),
            lang,
        }
    }

    const NEWS: [&str; 4] = [
        "BAGHDAD (Agencies) - The ministers met in the city on Monday.",
        "The minister of water said the plan would bring water to the city.",
        "Read also: the ministers meet again in another city",
        "It would pay 85 million for it over the years to come, they said.",
    ];

    #[test]
    fn keeps_every_sentence_of_a_long_text_in_some_window() {
        let tiny = tiny();
        let document = document(&NEWS, Lang::EN);
        let pieces = pieces(&document);
        assert_eq!(pieces.len(), 3);
        let windows = tiny.windows(&pieces);
        assert!(windows.len() > 1);
        assert!(windows.iter().all(|w| tiny.tokens(w) <= tiny.room()));
        let joined = windows.join(" ");
        for word in NEWS[0][21..].split(' ').chain(NEWS[3].split(' ')) {
            assert!(joined.contains(word), "{word}: {joined}");
        }
        assert!(!joined.contains("Read also") && !joined.contains("BAGHDAD"));
    }

    #[test]
    fn keeps_a_result_apart_from_the_other_documents() {
        let tiny = tiny();
        let documents = [
            document(&NEWS[..1], Lang::EN),
            document(&NEWS, Lang::EN),
            document(&[], Lang::EN),
            document(&["قال الوزير إن الخطة ستوفر المياه للمدينة."], Lang::AR),
        ];
        let together = tiny.summarize(&documents, Size::Sentences(2));
        for (document, want) in documents.iter().zip(&together) {
            let alone = tiny.summarize(std::slice::from_ref(document), Size::Sentences(2));
            assert_eq!(alone[0], *want);
        }
        let empty = Summary::Written {
            text: String::new(),
            map_reduced: false,
        };
        assert_eq!(together[2], Ok(empty));
        let error = together[3].as_ref().unwrap_err().to_string();
        assert!(error.contains("tiny@1") && error.contains("does not read ar"));
    }

    #[test]
    fn keeps_inventions_and_repetitions_out() {
        let source = "The council approved three plants on Monday. They cost 85 million dollars.";
        let shown = |answer: &str, cut, most| usable(answer, cut, source, Lang::EN, most);
        assert_eq!(
            shown(
                "Here is a summary of the article:\n\nThe council approved three plants. It will \
                 cost 90 million dollars in the end. The council, it approved three plants. The \
                 plants cost 85 million dollars in all. The council then",
                true,
                3
            )
            .unwrap(),
            "The council approved three plants. The plants cost 85 million dollars in all."
        );
        assert_eq!(
            shown(
                "The council approved plants. They cost much money.",
                false,
                1
            )
            .unwrap(),
            "The council approved plants."
        );
        assert_eq!(
            shown(
                "1. The council approved plants.\n2. They cost\tmuch money.",
                false,
                2
            )
            .unwrap(),
            "The council approved plants. They cost much money."
        );
        for garbage in [
            "",
            "The council of the",
            "وافق المجلس على ثلاث محطات يوم الاثنين.",
        ] {
            assert!(shown(garbage, true, 2).is_err(), "{garbage}");
        }
    }
}
