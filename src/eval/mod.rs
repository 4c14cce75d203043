//! Measures of quality and speed, and the texts that they are taken on.
//!
//! A metric first makes sums of each segment ([`segment::Segment`]) and scores only sums of sums,
//! so that any group of segments has its own corpus score without counting anything twice.

pub mod answer;
pub mod bench;
pub mod bleu;
pub mod bootstrap;
pub mod chrf;
mod ngrams;
pub mod report;
pub mod rouge;
pub mod segment;
pub mod testset;
pub mod tokens;

/// The version of sacreBLEU whose numbers these metrics give.
pub const SACREBLEU: &str = "2.6.0";

/// The last field of every signature: sacreBLEU's version, then who computed it in its stead.
fn version() -> String {
    format!("version:{SACREBLEU}+tarjama.{}", env!("CARGO_PKG_VERSION"))
}
