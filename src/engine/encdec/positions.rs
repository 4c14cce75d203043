//! Tables of positions, and biases by distance.

/// Sines and cosines as Marian and PEGASUS have them: `[count, d]`.
///
/// Source: huggingface/transformers `models/marian/modeling_marian.py`.
pub(super) fn sinusoidal(count: usize, d: usize) -> Vec<f32> {
    let half = d.div_ceil(2);
    let mut table = vec![0f32; count * d];
    for (position, row) in table.chunks_exact_mut(d).enumerate() {
        for (i, value) in row.iter_mut().enumerate() {
            let pair = if i < half { i } else { i - half };
            let angle = position as f64 / 10_000f64.powf(2.0 * pair as f64 / d as f64);
            *value = if i < half { angle.sin() } else { angle.cos() } as f32;
        }
    }
    table
}

/// Sines and cosines as fairseq has them, computed in f32 as Hugging Face does; the row of padding
/// is zero.
///
/// Source: huggingface/transformers `models/m2m_100/modeling_m2m_100.py`.
pub(super) fn fairseq(count: usize, d: usize, pad: usize) -> Vec<f32> {
    let half = d / 2;
    let step = -(10_000f64.ln() / (half.max(2) - 1) as f64) as f32;
    let mut table = vec![0f32; count * d];
    for (position, row) in table.chunks_exact_mut(d).enumerate() {
        if position == pad {
            continue;
        }
        for i in 0..half {
            let angle = position as f32 * (i as f32 * step).exp();
            row[i] = angle.sin();
            row[half + i] = angle.cos();
        }
    }
    table
}

/// The row of T5's table for a key at `distance` from its query.
///
/// Source: huggingface/transformers `models/t5/modeling_t5.py`, `_relative_position_bucket`.
fn bucket(distance: isize, both_ways: bool, buckets: usize, max_distance: usize) -> usize {
    let (buckets, base) = match both_ways {
        true => (buckets / 2, if distance > 0 { buckets / 2 } else { 0 }),
        false => (buckets, 0),
    };
    let distance = if both_ways {
        distance.unsigned_abs()
    } else {
        distance.min(0).unsigned_abs()
    };
    let exact = buckets / 2;
    if distance < exact || exact == 0 {
        return base + distance.min(buckets.saturating_sub(1));
    }
    let scale = (max_distance as f64 / exact as f64).ln() as f32;
    let log = (distance as f32 / exact as f32).ln() / scale * (buckets - exact) as f32;
    base + (exact + log as usize).min(buckets - 1)
}

/// For each head the biases of keys at distances `-(length - 1) ..= length - 1`, one after the
/// other: the query at `i` of `length` sees keys `0..n` with `[length - 1 - i..][..n]` of a head.
pub(super) fn relative(
    table: &[f32],
    heads: usize,
    max_distance: usize,
    both_ways: bool,
    length: usize,
) -> Vec<f32> {
    let width = 2 * length - 1;
    let mut out = vec![0f32; heads * width];
    for at in 0..width {
        let distance = at as isize - (length as isize - 1);
        let row = bucket(distance, both_ways, table.len() / heads, max_distance);
        for head in 0..heads {
            out[head * width + at] = table[row * heads + head];
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_t5s() {
        // Values of Hugging Face's function with 32 buckets and a distance of 128.
        let both: Vec<usize> = [-200, -64, -16, -8, -7, 0, 1, 7, 8, 15, 16, 127]
            .map(|d| bucket(d, true, 32, 128))
            .to_vec();
        assert_eq!(both, [15, 14, 10, 8, 7, 0, 17, 23, 24, 25, 26, 31]);
        let back: Vec<usize> = [-200, -64, -31, -16, -15, -1, 0, 3]
            .map(|d| bucket(d, false, 32, 128))
            .to_vec();
        assert_eq!(back, [31, 26, 21, 16, 15, 1, 0, 0]);
    }

    #[test]
    fn tables_begin_as_they_should() {
        let table = sinusoidal(2, 4);
        assert_eq!(table[..4], [0.0, 0.0, 1.0, 1.0]);
        assert!((table[4] - 1f32.sin()).abs() < 1e-7 && (table[5] - 0.01f32.sin()).abs() < 1e-7);
        let table = fairseq(4, 4, 1);
        assert_eq!(table[4..8], [0.0; 4]);
        assert!((table[8] - 2f32.sin()).abs() < 1e-7 && (table[9] - 2e-4f32.sin()).abs() < 1e-7);
    }
}
