//! Encoder-decoder transformers: one forward pass that a configuration drives.
//!
//! Marian, M2M100, NLLB, mBART, BART, PEGASUS, T5, mT5 and MADLAD differ in where norms stand, how
//! positions are told, what the feed-forward layer computes and what their tensors are called:
//! [`Config`] says the first three, `weights` knows the last. Sequences of a batch lie one after
//! the other without padding, and no row's arithmetic depends on another row: a batch gives what
//! its sequences give alone.

mod config;
mod ctranslate2;
mod forward;
mod generation;
mod positions;
mod weights;

pub use config::{Architecture, Config, ConfigError};
pub use forward::Session;
pub use generation::Generation;
pub use weights::{LoadError, Model};
