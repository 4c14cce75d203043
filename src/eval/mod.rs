//! Measures of quality.

pub mod rouge;
