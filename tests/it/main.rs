//! End-to-end tests, a module an area.

mod embedded;
mod fetch;
mod firefox;
mod guards;
mod segmentation;
mod summaries;
