//! Language-level text work: sentence segmentation, language detection, Arabic and English
//! normalisation, dates. Pure functions over `&str`; infallible.

pub mod arabic;
pub mod english;
pub mod lang;
pub mod terms;

pub use lang::{Direction, Lang};
