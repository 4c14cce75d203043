//! Files that survive crashes and hostile sizes: atomic replacement, a one-writer lock, bounded
//! lines.

pub mod atomic;
pub mod lines;
pub mod lock;
