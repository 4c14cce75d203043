//! What bounds a kernel: the rate of its int8 dot products on registers, and of reads from memory.

use super::{Isa, Kernels, LANES, multiversion};

/// Panels of weights of [`Kernels::register_dots`]: as many independent sums as hide the
/// instruction's latency and leave registers for the weights.
pub const PEAK_PANELS: usize = 12;
/// Bytes of a panel: four columns of each of its rows.
const PANEL: usize = 4 * LANES;

impl Kernels {
    /// The products of `x`, four columns at a time, with the same panels of weights, each packed as
    /// [`super::PackedInt8`] has them: `sums[p][lane] = sum over fours of w[p][lane] . four`.
    ///
    /// This is the inner loop of [`Kernels::matmul_int8`] with weights that stay where they are and
    /// next to no loads, so its rate, [`PEAK_PANELS`] * [`LANES`] multiply-adds for each column of
    /// `x`, is the most that the int8 product can reach.
    ///
    /// # Panics
    /// When `x` has no multiple of four columns, or so many that sums might not fit 32 bits.
    #[must_use]
    pub fn register_dots(
        self,
        weights: &[u8; PEAK_PANELS * PANEL],
        x: &[i8],
    ) -> [[i32; LANES]; PEAK_PANELS] {
        assert!(x.len().is_multiple_of(4) && x.len() <= 1 << 16);
        match self.isa {
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => super::x86::avx512::register_dots(weights, x),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => super::x86::avx2::register_dots(weights, x),
            _ => register_dots(weights, x),
        }
    }

    /// The sum of all words: a loop that does little else than read them.
    #[must_use]
    pub fn sum_words(self, words: &[u64]) -> u64 {
        multiversion!(self.isa, sum_words(words: &[u64]) -> u64)
    }
}

/// The definition of [`Kernels::register_dots`].
fn register_dots(weights: &[u8; PEAK_PANELS * PANEL], x: &[i8]) -> [[i32; LANES]; PEAK_PANELS] {
    let mut sums = [[0; LANES]; PEAK_PANELS];
    for (sums, panel) in sums.iter_mut().zip(weights.chunks_exact(PANEL)) {
        let mut dots = [0; LANES];
        for q in x.chunks_exact(4) {
            for (dot, w) in dots.iter_mut().zip(panel.chunks_exact(4)) {
                *dot += i32::from(w[0]) * i32::from(q[0])
                    + i32::from(w[1]) * i32::from(q[1])
                    + i32::from(w[2]) * i32::from(q[2])
                    + i32::from(w[3]) * i32::from(q[3]);
            }
        }
        *sums = dots;
    }
    sums
}

#[inline(always)]
fn sum_words(words: &[u64]) -> u64 {
    let mut sums = [0u64; 4 * LANES];
    let (chunks, rest) = words.as_chunks::<{ 4 * LANES }>();
    for chunk in chunks {
        for (sum, word) in sums.iter_mut().zip(chunk) {
            *sum = sum.wrapping_add(*word);
        }
    }
    sums.iter()
        .chain(rest)
        .fold(0, |a, word| a.wrapping_add(*word))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{all, noise};
    use super::*;

    #[test]
    fn register_dots_are_the_sums_of_all_products() {
        for (columns, extreme) in [(0, false), (4, false), (36, false), (1 << 16, true)] {
            let byte = |v: &f32| (v * 127.0) as i8;
            let mut weights = [0u8; PEAK_PANELS * PANEL];
            for (w, v) in weights.iter_mut().zip(noise(PEAK_PANELS * PANEL, 5)) {
                *w = if extreme {
                    255
                } else {
                    byte(&v).cast_unsigned()
                };
            }
            let x: Vec<i8> = match extreme {
                true => vec![-128; columns],
                false => noise(columns, 6).iter().map(byte).collect(),
            };
            for kernels in all() {
                let sums = kernels.register_dots(&weights, &x);
                for (at, sum) in sums.as_flattened().iter().enumerate() {
                    let w = &weights[at * 4..][..4];
                    let exact: i64 = (x.iter().zip(w.iter().cycle()))
                        .map(|(x, w)| i64::from(*x) * i64::from(*w))
                        .sum();
                    assert_eq!(i64::from(*sum), exact, "{kernels:?} sum {at}");
                }
            }
        }
    }

    #[test]
    fn no_word_is_left_out() {
        for len in [0, 1, 63, 64, 65, 200] {
            let words: Vec<u64> = (0..len).map(|i| u64::MAX - 3 * i).collect();
            let exact = words.iter().fold(0u64, |a, w| a.wrapping_add(*w));
            for kernels in all() {
                assert_eq!(kernels.sum_words(&words), exact, "{kernels:?} {len}");
            }
        }
    }
}
