#![doc = include_str!("ARCHITECTURE.md")]

pub mod article;
pub mod cli;
pub mod decode;
pub mod disk;
pub mod engine;
pub mod eval;
pub mod formats;
pub mod kernel;
pub mod models;
pub mod run;
pub mod summarize;
pub mod text;
pub mod tokenize;
pub mod translate;
