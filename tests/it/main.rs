//! End-to-end tests, a module an area.
#![allow(clippy::print_stdout, reason = "tests list what they measured")]

mod bench;
mod bergamot;
mod cache;
mod cli;
mod complaints;
mod embedded;
mod encdec;
mod eval;
mod fake;
mod fetch;
mod firefox;
mod firefox_base;
mod firefox_batches;
mod firefox_beam;
mod firefox_tiny;
mod gguf_models;
mod guards;
mod segmentation;
mod server;
mod sources;
mod summaries;
