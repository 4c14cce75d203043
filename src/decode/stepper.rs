//! The one door from search to an engine.

/// A sequence in an engine's cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Slot(pub usize);

/// An engine that reads tokens into cache slots and gives the logits of the next one.
///
/// What a slot gets must not depend on the other slots of a call.
pub trait Stepper {
    /// Opens an empty sequence.
    fn open(&mut self) -> Slot;

    /// Opens a copy of a sequence.
    fn fork(&mut self, slot: Slot) -> Slot;

    /// Frees a sequence; its number may be used again.
    fn close(&mut self, slot: Slot);

    /// Appends tokens to each sequence (at least one) and writes the logits after the last one of
    /// each: `logits` is `[rows.len(), vocab]`, row-major.
    fn feed(&mut self, rows: &[(Slot, &[u32])], logits: &mut Vec<f32>);

    /// Logits a row.
    fn vocab_size(&self) -> usize;

    /// Index of the greatest logit of a row and the logarithm of the sum of all exponentials.
    fn best_and_log_sum(&self, logits: &[f32]) -> (usize, f32);
}
