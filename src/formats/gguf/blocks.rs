//! Element types of tensors: their blocks, as floats and as the engine's int8 blocks.
//!
//! The int8 kernels multiply signed bytes with one scale for 32 columns. Q4_0, Q5_0 and Q8_0 are
//! exactly that. All others are read as floats and rounded to the nearest of 255 steps in each
//! block of 32: Q4_1, Q5_1, Q4_K and Q5_K have an offset beside their scale, Q6_K has a scale for
//! 16 columns, and floats have none. The rounding is at most 1/254 of the greatest value of a
//! block, where a step of a 4-bit type with offset is at least 1/15 of it; int8 activations lose as
//! much. `Compute::Float32` reads every type without that loss: there greedy ids of SmolLM2 (Q4_1)
//! and Gemma 3 270M (Q4_K, Q6_K) are Hugging Face's, 262 of 262. In int8, weights and activations
//! rounded, 139 of 190 and 44 of 72 stand before the first that differs, at gaps between the two
//! best logits of 0.03 to 0.17 (`tests/it/gguf_models.rs`).
//!
//! Source: ggml-org/ggml, `ggml-common.h` (layouts) and `ggml-quants.c` (`dequantize_row_*`).

use half::{bf16, f16};

use super::Tensor;

/// Values that share a scale in the engine's int8 layout, and in the small quantised types.
pub const BLOCK: usize = 32;
/// Values of a block of a K-quant.
const SUPER_BLOCK: usize = 256;

/// What [`Dtype::from_code`] knows, for messages.
pub(super) const NAMES: &str = "F32, F16, BF16, Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q4_K, Q5_K and Q6_K";

/// Element types that tarjama reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dtype {
    /// 32-bit floats.
    F32,
    /// 16-bit floats.
    F16,
    /// The upper half of 32-bit floats.
    Bf16,
    /// Blocks of 32: f16 scale, 32 nibbles; value `(q - 8) * scale`.
    Q4_0,
    /// Blocks of 32: f16 scale and offset, 32 nibbles; value `q * scale + offset`.
    Q4_1,
    /// Blocks of 32: f16 scale, 32 high bits, 32 nibbles; value `(q - 16) * scale`.
    Q5_0,
    /// Blocks of 32: f16 scale and offset, 32 high bits, 32 nibbles; value `q * scale + offset`.
    Q5_1,
    /// Blocks of 32: f16 scale, 32 signed bytes.
    Q8_0,
    /// Blocks of 256: f16 scale and offset, eight pairs of 6-bit factors of them, 256 nibbles.
    Q4K,
    /// As Q4_K, with 256 high bits.
    Q5K,
    /// Blocks of 256: 6-bit values, 16 signed factors, f16 scale.
    Q6K,
}

impl Dtype {
    pub(super) fn from_code(code: u32) -> Option<Self> {
        match code {
            0 => Some(Self::F32),
            1 => Some(Self::F16),
            2 => Some(Self::Q4_0),
            3 => Some(Self::Q4_1),
            6 => Some(Self::Q5_0),
            7 => Some(Self::Q5_1),
            8 => Some(Self::Q8_0),
            12 => Some(Self::Q4K),
            13 => Some(Self::Q5K),
            14 => Some(Self::Q6K),
            30 => Some(Self::Bf16),
            _ => None,
        }
    }

    /// Values and bytes of one block.
    pub(super) fn block(self) -> (usize, usize) {
        match self {
            Self::F32 => (1, 4),
            Self::F16 | Self::Bf16 => (1, 2),
            Self::Q4_0 => (BLOCK, 18),
            Self::Q4_1 => (BLOCK, 20),
            Self::Q5_0 => (BLOCK, 22),
            Self::Q5_1 => (BLOCK, 24),
            Self::Q8_0 => (BLOCK, 34),
            Self::Q4K => (SUPER_BLOCK, 144),
            Self::Q5K => (SUPER_BLOCK, 176),
            Self::Q6K => (SUPER_BLOCK, 210),
        }
    }
}

impl Tensor<'_> {
    /// Values as floats, row-major.
    #[must_use]
    pub fn to_f32(&self) -> Vec<f32> {
        let mut out = Vec::with_capacity(self.rows * self.columns);
        self.for_runs(|run| out.extend_from_slice(run));
        out
    }

    /// Values as int8 `[rows, columns]` with a scale for each block of 32 columns: exact for Q4_0,
    /// Q5_0 and Q8_0, rounded for all others (see the module).
    #[must_use]
    pub fn quantized(&self) -> (Vec<i8>, Vec<f32>) {
        let count = self.rows * self.columns;
        let (mut values, mut scales) =
            (Vec::with_capacity(count), Vec::with_capacity(count / BLOCK));
        match self.dtype {
            Dtype::Q8_0 => {
                for block in self.data.as_chunks::<34>().0 {
                    scales.push(half_at(block, 0));
                    values.extend(block[2..].iter().map(|b| b.cast_signed()));
                }
            }
            Dtype::Q4_0 => {
                for block in self.data.as_chunks::<18>().0 {
                    scales.push(half_at(block, 0));
                    values.extend(nibbles(&block[2..], 0).map(|q| q.cast_signed() - 8));
                }
            }
            Dtype::Q5_0 => {
                for block in self.data.as_chunks::<22>().0 {
                    scales.push(half_at(block, 0));
                    let high = u32::from_le_bytes([block[2], block[3], block[4], block[5]]);
                    values.extend(nibbles(&block[6..], high).map(|q| q.cast_signed() - 16));
                }
            }
            _ => self.for_runs(|run| {
                for block in run.chunks(BLOCK) {
                    round(block, &mut values, &mut scales);
                }
            }),
        }
        (values, scales)
    }

    /// Calls `f` with the floats of one or more whole blocks after another.
    fn for_runs(&self, mut f: impl FnMut(&[f32])) {
        let data = self.data;
        let mut small = [0f32; BLOCK];
        let mut large = [0f32; SUPER_BLOCK];
        match self.dtype {
            Dtype::F32 => {
                let values = data.as_chunks::<4>().0.iter();
                f(&values.map(|b| f32::from_le_bytes(*b)).collect::<Vec<_>>());
            }
            Dtype::F16 => {
                let values = data.as_chunks::<2>().0.iter();
                f(&values
                    .map(|b| f16::from_le_bytes(*b).to_f32())
                    .collect::<Vec<_>>());
            }
            Dtype::Bf16 => {
                let values = data.as_chunks::<2>().0.iter();
                f(&values
                    .map(|b| bf16::from_le_bytes(*b).to_f32())
                    .collect::<Vec<_>>());
            }
            Dtype::Q4_0 | Dtype::Q5_0 | Dtype::Q8_0 => {
                let (values, scales) = self.quantized();
                for (values, scale) in values.chunks_exact(BLOCK).zip(scales) {
                    for (out, q) in small.iter_mut().zip(values) {
                        *out = f32::from(*q) * scale;
                    }
                    f(&small);
                }
            }
            Dtype::Q4_1 => {
                for b in data.as_chunks::<20>().0 {
                    offset_block(
                        half_at(b, 0),
                        half_at(b, 2),
                        nibbles(&b[4..], 0),
                        &mut small,
                    );
                    f(&small);
                }
            }
            Dtype::Q5_1 => {
                for b in data.as_chunks::<24>().0 {
                    let high = u32::from_le_bytes([b[4], b[5], b[6], b[7]]);
                    let values = nibbles(&b[8..], high);
                    offset_block(half_at(b, 0), half_at(b, 2), values, &mut small);
                    f(&small);
                }
            }
            Dtype::Q4K => {
                for b in data.as_chunks::<144>().0 {
                    k_block(b, &[0; 32], &b[16..], &mut large);
                    f(&large);
                }
            }
            Dtype::Q5K => {
                for b in data.as_chunks::<176>().0 {
                    k_block(b, &b[16..48], &b[48..], &mut large);
                    f(&large);
                }
            }
            Dtype::Q6K => {
                for b in data.as_chunks::<210>().0 {
                    q6_block(b, &mut large);
                    f(&large);
                }
            }
        }
    }
}

fn half_at(bytes: &[u8], at: usize) -> f32 {
    f16::from_le_bytes([bytes[at], bytes[at + 1]]).to_f32()
}

/// 32 values of 16 bytes: the low nibbles, then the high ones, each with its fifth bit of `high`.
fn nibbles(bytes: &[u8], high: u32) -> impl Iterator<Item = u8> + '_ {
    let fifth = move |i: usize| ((high >> i) & 1) as u8 * 16;
    let low = bytes.iter().enumerate();
    let low = low.map(move |(i, b)| (b & 15) | fifth(i));
    let up = bytes.iter().enumerate();
    low.chain(up.map(move |(i, b)| (b >> 4) | fifth(i + 16)))
}

fn offset_block(scale: f32, offset: f32, values: impl Iterator<Item = u8>, out: &mut [f32]) {
    for (out, q) in out.iter_mut().zip(values) {
        *out = f32::from(q) * scale + offset;
    }
}

/// The 6-bit factors of scale and offset of sub-block `j` of eight.
fn k_factors(packed: &[u8], j: usize) -> (f32, f32) {
    let (scale, offset) = if j < 4 {
        (packed[j] & 63, packed[j + 4] & 63)
    } else {
        (
            (packed[j + 4] & 15) | (packed[j - 4] >> 6) << 4,
            (packed[j + 4] >> 4) | (packed[j] >> 6) << 4,
        )
    };
    (f32::from(scale), f32::from(offset))
}

/// A block of Q4_K or Q5_K; `high` has one byte of fifth bits for each of 32 columns.
fn k_block(block: &[u8], high: &[u8], low: &[u8], out: &mut [f32; SUPER_BLOCK]) {
    let (scale, offset) = (half_at(block, 0), half_at(block, 2));
    for (j, out) in out.chunks_exact_mut(32).enumerate() {
        let (scale_factor, offset_factor) = k_factors(&block[4..16], j);
        let (scale, offset) = (scale * scale_factor, offset * offset_factor);
        let low = &low[j / 2 * 32..][..32];
        for ((out, low), high) in out.iter_mut().zip(low).zip(high) {
            let nibble = if j % 2 == 0 { low & 15 } else { low >> 4 };
            let q = nibble | ((high >> j) & 1) << 4;
            *out = f32::from(q) * scale - offset;
        }
    }
}

fn q6_block(block: &[u8], out: &mut [f32; SUPER_BLOCK]) {
    let scale = half_at(block, 208);
    for (half, out) in out.chunks_exact_mut(128).enumerate() {
        let low = &block[half * 64..][..64];
        let high = &block[128 + half * 32..][..32];
        let factors = &block[192 + half * 8..][..8];
        for (i, out) in out.iter_mut().enumerate() {
            // Columns 0..64 are the low nibbles, 64..128 the high ones.
            let byte = low[i % 64];
            let nibble = if i < 64 { byte & 15 } else { byte >> 4 };
            let upper = (high[i % 32] >> (i / 32 * 2)) & 3;
            let q = (nibble | upper << 4).cast_signed() - 32;
            *out = scale * f32::from(factors[i / 16].cast_signed()) * f32::from(q);
        }
    }
}

/// Rounds a block to the nearest of 255 steps.
fn round(block: &[f32], values: &mut Vec<i8>, scales: &mut Vec<f32>) {
    let max = block.iter().fold(0f32, |m, v| m.max(v.abs()));
    let scale = max / 127.0;
    scales.push(scale);
    let inverse = if scale > 0.0 { 1.0 / scale } else { 0.0 };
    values.extend(block.iter().map(|v| (v * inverse).round() as i8));
}
