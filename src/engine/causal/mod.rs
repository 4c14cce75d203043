//! Decoder-only transformers on flat buffers, with one cache a sequence: Gemma 3 and the Llama
//! layout (SmolLM2 among others), told apart by their configuration alone.
//!
//! candle-transformers has both as quantised models, and is not used: its quantised kernels choose
//! their instructions when compiled, so a build for plain x86-64 runs them without SIMD; it takes
//! one sequence at a time; and its quantised Gemma 3 computes another activation than the model
//! has. This engine runs batches on the kernels of [`crate::kernel`], with the same bits on every
//! instruction set.
//!
//! Source: google-deepmind/gemma `gm/nn/_modules.py`; ggml-org/llama.cpp `src/models/gemma3.cpp`
//! and `src/models/llama.cpp`.

mod config;
mod session;
mod weights;

pub use config::{Activation, CausalConfig, Rope, RopeLayout, Window};
pub use session::CausalSession;
pub use weights::CausalModel;

#[cfg(test)]
mod tests;
