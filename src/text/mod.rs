//! Language-level text work: sentence segmentation, language detection, Arabic and English
//! normalisation, dates. Pure functions over `&str`; infallible.

pub mod arabic;
pub mod english;
pub mod lang;
pub(crate) mod marks;
pub mod segment;
mod split;
pub mod terms;

pub use lang::{Direction, Lang, detect};
pub use segment::segments;
pub use split::split_long;
