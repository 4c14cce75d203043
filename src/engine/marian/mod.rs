//! Marian's 8-bit transformer as Firefox ships it: post-norm encoder, SSRU decoder, lexical
//! shortlist.
//!
//! Integer products are exact and every row is computed alone, so a result depends neither on the
//! other segments of a batch nor on threads.

mod attention;
mod beam;
mod config;
mod int8;
mod layers;
mod model;
mod replay;
mod search;

pub use config::Config;
pub use model::{MarianModel, ModelError};
pub use replay::ReplayStep;
pub use search::SpecialIds;
