//! A model in memory: reading its tensors, encoding sources, one decoder step.

use crate::formats::lexical::Lexicon;
use crate::formats::marian_bin::{FormatError, MarianFile};
use crate::kernel::Kernels;

use super::Config;
use super::attention::{Attention, Memory, Queries, Span};
use super::int8::{Linear, Scales, Weights};
use super::layers::{FeedForward, Scratch, Ssru};

/// Why a model could not be loaded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ModelError {
    /// The file is damaged.
    #[error(transparent)]
    Format(#[from] FormatError),
    /// The model is of a kind that the engine lacks.
    #[error("this kind of model is not supported: {0}")]
    Unsupported(String),
    /// A tensor has not the shape that the configuration asks for.
    #[error("tensor {0} has not the shape that the model's configuration asks for")]
    Shape(String),
}

/// Positions whose signal is kept.
const POSITIONS: usize = 256;

struct EncoderLayer {
    attention: Attention,
    ffn: FeedForward,
}

struct DecoderLayer {
    ssru: Ssru,
    attention: Attention,
    ffn: FeedForward,
}

/// A loaded model, ready to translate ids.
pub struct MarianModel {
    config: Config,
    kernels: Kernels,
    /// Source embeddings where they are not the target's.
    source_table: Option<Weights>,
    target_table: Weights,
    output: Scales,
    encoder: Vec<EncoderLayer>,
    decoder: Vec<DecoderLayer>,
    /// Rates of the position signal, half a width of them.
    rates: Vec<f32>,
    /// The position signal of the first [`POSITIONS`] positions.
    positions: Vec<f32>,
    pub(super) lexicon: Option<Lexicon>,
}

impl MarianModel {
    /// Reads a model file and, where there is one, its lexical shortlist.
    ///
    /// # Errors
    /// When a file is damaged, or the model of a kind that the engine lacks.
    pub fn load(
        model: &[u8],
        lexicon: Option<&[u8]>,
        kernels: Kernels,
    ) -> Result<Self, ModelError> {
        let file = MarianFile::parse(model)?;
        let text = String::from_utf8_lossy(file.require("special:model.yml")?.data);
        let config = Config::parse(&text)?;
        let lexicon = lexicon
            .map(|bytes| Lexicon::parse(bytes, config.vocabularies[1]))
            .transpose()?;
        let table = |name: &str, size: usize| -> Result<Weights, ModelError> {
            let table = Weights::new(file.require(name)?, true)?;
            if table.width() != config.dim || table.outputs() != size {
                return Err(ModelError::Shape(name.to_owned()));
            }
            Ok(table)
        };
        let target_table = table(config.target_table, config.vocabularies[1])?;
        let source_table = if config.source_table == config.target_table {
            if config.vocabularies[0] != config.vocabularies[1] {
                return Err(ModelError::Shape(config.source_table.to_owned()));
            }
            None
        } else {
            Some(table(config.source_table, config.vocabularies[0])?)
        };
        let table_alpha = format!("{}_QuantMultA", config.target_table);
        let output = Scales::new(
            &file,
            &target_table,
            config.output_bias.then_some("decoder_ff_logit_out_b"),
            &["none_QuantMultA", &table_alpha],
        )?;
        let (dim, heads) = (config.dim, config.heads);
        let ffn =
            |prefix: String, depth| FeedForward::new(&file, &prefix, dim, depth, config.activation);
        let encoder = (1..=config.encoder_depth)
            .map(|i| {
                Ok(EncoderLayer {
                    attention: Attention::new(&file, &format!("encoder_l{i}_self"), dim, heads)?,
                    ffn: ffn(format!("encoder_l{i}_ffn"), config.encoder_ffn_depth)?,
                })
            })
            .collect::<Result<_, ModelError>>()?;
        let decoder = (1..=config.decoder_depth)
            .map(|i| {
                Ok(DecoderLayer {
                    ssru: Ssru::new(&file, &format!("decoder_l{i}_rnn"), dim)?,
                    attention: Attention::new(&file, &format!("decoder_l{i}_context"), dim, heads)?,
                    ffn: ffn(format!("decoder_l{i}_ffn"), config.decoder_ffn_depth)?,
                })
            })
            .collect::<Result<_, ModelError>>()?;
        let half = dim / 2;
        let step = 10_000f32.ln() / (half as f32 - 1.0);
        let rates: Vec<f32> = (0..half).map(|i| (i as f32 * -step).exp()).collect();
        let positions = (0..POSITIONS).flat_map(|p| signal(p, &rates)).collect();
        Ok(Self {
            source_table,
            target_table,
            output,
            encoder,
            decoder,
            rates,
            positions,
            lexicon,
            kernels,
            config,
        })
    }

    /// The model's shape.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Multiply-adds of the layers' products for a token read and for a token written; of a
    /// shortlist's outputs those alone that every shortlist has.
    #[must_use]
    pub fn macs_per_token(&self) -> [usize; 2] {
        let square = self.config.dim * self.config.dim;
        let outputs = self.lexicon.as_ref().map(Lexicon::frequent);
        let outputs = outputs.unwrap_or(self.config.vocabularies[1]);
        // Keys and values of the attention to the source are made for tokens read.
        let memory = self.decoder.len() * 2 * square;
        let encoder = self.encoder.iter().map(|l| 4 * square + l.ffn.macs());
        let decoder = self.decoder.iter().map(|l| 4 * square + l.ffn.macs());
        [
            encoder.sum::<usize>() + memory,
            decoder.sum::<usize>() + outputs * self.config.dim,
        ]
    }

    fn add_position(&self, position: usize, row: &mut [f32]) {
        let dim = self.config.dim;
        if let Some(signal) = self.positions.get(position * dim..(position + 1) * dim) {
            self.kernels.add(row, signal);
        } else {
            let signal: Vec<f32> = signal(position, &self.rates).collect();
            self.kernels.add(row, &signal);
        }
    }

    fn embed(&self, table: &Weights, id: u32, row: &mut [f32]) {
        table.dequantise(id as usize, (self.config.dim as f32).sqrt(), row);
    }

    /// Buffers for [`MarianModel::encode`] and [`MarianModel::step`].
    pub(super) fn scratch(&self) -> Scratch {
        Scratch::new(self.kernels)
    }

    /// Encodes sources (ids with their EOS); all ids must be of the source vocabulary.
    pub(super) fn encode(&self, sources: &[&[u32]], work: &mut Scratch) -> Encoded {
        let dim = self.config.dim;
        let table = self.source_table.as_ref().unwrap_or(&self.target_table);
        let total = sources.iter().map(|s| s.len()).sum::<usize>();
        let mut rows = vec![0.0; total * dim];
        let mut spans = Vec::with_capacity(sources.len());
        let mut slots = rows.chunks_exact_mut(dim);
        let mut start = 0;
        for (sentence, source) in sources.iter().enumerate() {
            for ((position, &id), row) in source.iter().enumerate().zip(&mut slots) {
                self.embed(table, id, row);
                self.add_position(position, row);
            }
            spans.push(Span {
                sentence,
                start,
                len: source.len(),
            });
            start += source.len();
        }
        let mut memory = Memory::default();
        for layer in &self.encoder {
            let attention = &layer.attention;
            attention.memory(&rows, &spans, Queries::All, work, &mut memory);
            attention.apply(&mut rows, &memory, &spans, Queries::All, work);
            layer.ffn.apply(&mut rows, work);
        }
        let memories = self
            .decoder
            .iter()
            .map(|layer| {
                let mut memory = Memory::default();
                let attention = &layer.attention;
                attention.memory(&rows, &spans, Queries::One, work, &mut memory);
                memory
            })
            .collect();
        Encoded { spans, memories }
    }

    /// Fresh decoder states of `rows` targets.
    pub(super) fn start(&self, rows: usize) -> Vec<Vec<f32>> {
        vec![vec![0.0; rows * self.config.dim]; self.decoder.len()]
    }

    /// One decoder step gives `rows`, each to be scored by its [`MarianModel::shortlist`].
    pub(super) fn step(
        &self,
        encoded: &Encoded,
        at: Step<'_>,
        states: &mut [Vec<f32>],
        rows: &mut Vec<f32>,
        work: &mut Scratch,
    ) {
        let dim = self.config.dim;
        rows.clear();
        rows.resize(at.spans.len() * dim, 0.0);
        for (target, row) in rows.chunks_exact_mut(dim).enumerate() {
            if let Some(last) = at.last {
                self.embed(&self.target_table, last[target], row);
            }
            self.add_position(at.position, row);
        }
        for ((layer, memory), state) in self.decoder.iter().zip(&encoded.memories).zip(states) {
            layer.ssru.apply(rows, state, work);
            layer
                .attention
                .apply(rows, memory, at.spans, Queries::One, work);
            layer.ffn.apply(rows, work);
        }
    }

    /// The output layer for some candidates alone.
    pub(super) fn shortlist(&self, candidates: &[u32]) -> Linear {
        self.output.select(&self.target_table, candidates)
    }
}

/// Where the targets of a batch stand.
#[derive(Clone, Copy, Debug)]
pub(super) struct Step<'a> {
    /// For each target where its source lies.
    pub(super) spans: &'a [Span],
    /// Each target's last id; none at the start.
    pub(super) last: Option<&'a [u32]>,
    /// Ids that each target has.
    pub(super) position: usize,
}

/// Sines, then cosines, of `position` times each rate. Source: Vaswani et al. 2017, as Marian
/// lays them out.
fn signal(position: usize, rates: &[f32]) -> impl Iterator<Item = f32> {
    let angles = move |rate: &f32| position as f32 * rate;
    let sines = rates.iter().map(move |rate| angles(rate).sin());
    sines.chain(rates.iter().map(move |rate| angles(rate).cos()))
}

/// Encoded sources: where each lies, and what each decoder layer attends to.
pub(super) struct Encoded {
    pub(super) spans: Vec<Span>,
    memories: Vec<Memory>,
}
