//! End-to-end tests, a module an area.

mod firefox;
mod guards;
mod segmentation;
mod summaries;
