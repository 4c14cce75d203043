//! Holds translations of a Firefox model against bergamot's, and shows that where they differ the
//! two best candidates were as good as equal.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::path::{Path, PathBuf};

use tarjama::decode::DecodeOptions;
use tarjama::engine::marian::{MarianModel, SpecialIds};
use tarjama::kernel::Kernels;
use tarjama::text::{Direction, Lang};
use tarjama::tokenize::spm::Spm;
use tarjama::translate::{FirefoxTranslator, Translator};

/// What two candidates may differ by and still be a near tie, as a share of what lies between the
/// best and the middle one. All values before the output layer are in steps of 1/127 of their
/// range; a float sum in another order moves some of them by one step, and each step so moved
/// moves a score by about a thousandth of that distance.
const NEAR: f32 = 0.02;
/// Ways to go on that are tried for a line before it counts as wrong.
const TRIES: usize = 40;
/// Pieces of a part of a line, without its end.
const PART: usize = 127;

/// How the lines of a file came out.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) lines: usize,
    pub(crate) equal: usize,
    /// For each line that differs at near ties alone, their sizes as shares (see [`NEAR`]).
    pub(crate) ties: Vec<Vec<f32>>,
    /// Lines that differ otherwise, with both translations.
    pub(crate) wrong: Vec<[String; 3]>,
}

struct Reference {
    model: MarianModel,
    source: Spm,
    target: Spm,
    special: SpecialIds,
}

/// What the parts of a line share.
struct Group {
    ids: Vec<u32>,
    width: usize,
}

fn find(dir: &Path, starts: &[&str], end: &str) -> Option<PathBuf> {
    starts.iter().find_map(|start| {
        let entries = std::fs::read_dir(dir).unwrap().map(|e| e.unwrap().path());
        entries.into_iter().find(|path| {
            let name = path.file_name().unwrap().to_str().unwrap();
            name.starts_with(start) && name.ends_with(end)
        })
    })
}

impl Reference {
    fn open(dir: &Path) -> Self {
        let read = |starts: &[&str], end| std::fs::read(find(dir, starts, end).unwrap()).unwrap();
        let lexicon = read(&["lex"], ".bin");
        let source = Spm::parse(&read(&["srcvocab", "vocab"], ".spm")).unwrap();
        let target = Spm::parse(&read(&["trgvocab", "vocab"], ".spm")).unwrap();
        Self {
            model: MarianModel::load(&read(&["model"], ".bin"), Some(&lexicon), Kernels::detect())
                .unwrap(),
            special: SpecialIds {
                eos: target.eos_id(),
                unknown: target.unknown_id(),
                shared: find(dir, &["srcvocab"], ".spm").is_none(),
            },
            source,
            target,
        }
    }

    /// The sizes of the near ties that lead from our translation of `line` to `wanted`.
    fn ties(&self, line: &str, wanted: &str) -> Option<Vec<f32>> {
        let ids = self.source.encode(line);
        let end = [self.source.eos_id()];
        let parts: Vec<Vec<u32>> = ids.chunks(PART).map(|part| [part, &end].concat()).collect();
        let start = &line[..line.len() - line.trim_start().len()];
        let wanted = wanted.strip_prefix(start)?;
        let wanted = wanted.strip_suffix(&line[line.trim_end().len()..])?;
        let group = Group {
            ids: parts.concat(),
            width: parts.iter().map(Vec::len).max()?,
        };
        let mut tries = TRIES;
        let mut ties = self.follow(&parts, &group, wanted, &[], &mut tries)?;
        ties.reverse();
        Some(ties)
    }

    /// The ties, last first, by which the first of `parts` after `prefix`, and all that follow,
    /// come to `wanted`.
    fn follow(
        &self,
        parts: &[Vec<u32>],
        group: &Group,
        wanted: &str,
        prefix: &[u32],
        tries: &mut usize,
    ) -> Option<Vec<f32>> {
        let Some((part, rest)) = parts.split_first() else {
            return wanted.is_empty().then(Vec::new);
        };
        *tries = tries.checked_sub(1)?;
        let steps = self
            .model
            .replay(part, [&group.ids, prefix], group.width, self.special);
        let ids: Vec<u32> = steps.iter().map(|step| step.id).collect();
        if let Some(left) = wanted.strip_prefix(self.target.decode(&ids).as_str())
            && let Some(ties) = self.follow(rest, group, left, &[], tries)
        {
            return Some(ties);
        }
        for (at, step) in steps.iter().enumerate().skip(prefix.len()) {
            if !self.leads_to(&ids[..at], wanted) {
                break;
            }
            let (best, middle) = (step.ranked[0].1, step.ranked[step.ranked.len() / 2].1);
            for &(id, score) in &step.ranked[1..] {
                let share = (best - score) / (best - middle);
                if share > NEAR {
                    break;
                }
                let other = [&ids[..at], &[id]].concat();
                if self.leads_to(&other, wanted)
                    && let Some(mut ties) = self.follow(parts, group, wanted, &other, tries)
                {
                    ties.push(share);
                    return Some(ties);
                }
            }
        }
        None
    }

    /// `wanted` may begin with what `ids` read as; a last character may still lack bytes.
    fn leads_to(&self, ids: &[u32], wanted: &str) -> bool {
        let text = self.target.decode(ids);
        wanted.starts_with(text.trim_end_matches('\u{fffd}'))
    }
}

/// Translates the lines of `sources` with the model in `dir`, and compares them with `targets`.
pub(crate) fn compare(dir: &Path, direction: Direction, sources: &Path, targets: &Path) -> Outcome {
    let (from, to) = (direction.from, direction.to);
    let model = FirefoxTranslator::open(dir, from, to, Kernels::detect()).unwrap();
    let read = |path: &Path| std::fs::read_to_string(path).unwrap();
    let (sources, targets) = (read(sources), read(targets));
    let sources: Vec<&str> = sources.lines().collect();
    let mut targets = targets.lines();
    let mut reference = None;
    let mut outcome = Outcome::default();
    for batch in sources.chunks(16) {
        let results = model
            .translate_batch(batch, direction, &DecodeOptions::default())
            .unwrap();
        for (result, source) in results.iter().zip(batch) {
            let (got, wanted) = (&result.hypotheses[0].text, targets.next().unwrap());
            outcome.lines += 1;
            // bergamot drops a line of nothing but spaces; here it stays as it is.
            if got == wanted || (source.trim().is_empty() && got.trim() == wanted) {
                outcome.equal += 1;
                continue;
            }
            let reference = reference.get_or_insert_with(|| Reference::open(dir));
            match reference.ties(source, wanted) {
                Some(ties) => outcome.ties.push(ties),
                None => outcome
                    .wrong
                    .push([(*source).into(), wanted.into(), got.clone()]),
            }
        }
    }
    assert!(targets.next().is_none());
    outcome
}

/// Compares `{from}.txt` under `lines` with `{from}.{to}.txt`; all lines must be equal but for a
/// few near ties.
pub(crate) fn check(dir: &Path, lines: &Path, [from, to]: [Lang; 2]) {
    let sources = lines.join(format!("{from}.txt"));
    let targets = lines.join(format!("{from}.{to}.txt"));
    let outcome = compare(dir, Direction { from, to }, &sources, &targets);
    let (count, ties) = (outcome.lines, &outcome.ties);
    println!(
        "## {} {from}-{to}: {count} lines, {} equal to bergamot's, {} with near ties {ties:.4?}, {} otherwise different",
        dir.file_name().unwrap().to_string_lossy(),
        outcome.equal,
        ties.len(),
        outcome.wrong.len(),
    );
    for [source, wanted, got] in &outcome.wrong {
        println!("{source:?}\n  bergamot {wanted:?}\n  tarjama  {got:?}");
    }
    assert!(outcome.wrong.is_empty(), "lines differ from bergamot's");
    assert!(ties.len() * 10 <= count, "too many lines differ");
}
