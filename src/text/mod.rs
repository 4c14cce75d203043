//! Language-level text work: sentence segmentation, language detection, Arabic and English
//! normalisation, dates. Pure functions over `&str`; infallible.

pub mod lang;

pub use lang::{Direction, Lang};
