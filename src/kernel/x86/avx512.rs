//! Products on AVX-512 VNNI, equal to the portable ones bit for bit.
#![expect(unsafe_code, reason = "vector loads, stores and instructions")]

use std::arch::x86_64::*;

use super::super::affine::Epilogue;
use super::super::pack::{PackedInt8, QuantizedRows};
use super::{LANES, PEAK_PANELS};

/// Calls `tile` for all rows of all panels: two panels at a time, `ROWS`, `ROWS / 2`, .. 1 rows.
///
/// Weights come from memory once a call, and the first rows would wait for them: so each tile
/// fetches its share of the panels that follow.
macro_rules! tiles {
    ($x:expr, $w:expr, $end:expr, $out:expr, $tile:ident, $($rows:literal),+) => {{
        let panels = $w.n.div_ceil(LANES);
        let mut panel = 0;
        while panel < panels {
            let pair = panels - panel >= 2;
            let following = panel + if pair { 2 } else { 1 };
            let mut row = 0;
            while row < $x.rows {
                let left = $x.rows - row;
                $(if left >= $rows {
                    let ahead = Ahead::of($x, $w, following, row, $rows);
                    // SAFETY: the features were detected; `row + ROWS <= rows`, the panels exist,
                    // and the asserts of the callers fix every length.
                    unsafe {
                        if pair {
                            $tile::<$rows, 2>($x, $w, $end, $out, (panel, row), ahead);
                        } else {
                            $tile::<$rows, 1>($x, $w, $end, $out, (panel, row), ahead);
                        }
                    }
                    row += $rows;
                    continue;
                })+
            }
            panel = following;
        }
    }};
}

/// See [`super::super::Kernels::matmul_int8`]; called only where AVX-512 VNNI was detected.
pub(in super::super) fn matmul_int8(
    x: &QuantizedRows,
    w: &PackedInt8,
    bias: &[f32],
    out: &mut [f32],
) {
    if w.block == w.k {
        tiles!(x, w, bias, out, whole_rows, 8, 4, 2, 1);
    } else {
        tiles!(x, w, bias, out, blocks, 4, 2, 1);
    }
}

/// See [`super::super::Kernels::affine_int8`]; called only where AVX-512 VNNI was detected.
pub(in super::super) fn affine_int8(
    x: &QuantizedRows,
    w: &PackedInt8,
    end: Epilogue<'_>,
    out: &mut [f32],
) {
    tiles!(x, w, end, out, affine, 8, 4, 2, 1);
}

/// Lines of weights to fetch into the cache while a tile is computed.
#[derive(Clone, Copy)]
struct Ahead {
    /// The next line; fetching past the end of the weights is harmless.
    at: *const u8,
    /// Groups of four columns for each line.
    every: usize,
}

impl Ahead {
    /// The share that `tile` rows from `row` on have in fetching two panels from `panel` on.
    fn of(x: &QuantizedRows, w: &PackedInt8, panel: usize, row: usize, tile: usize) -> Self {
        let (lines, groups) = (w.k / 2, w.k / 4);
        let first = panel * LANES * w.k + lines * row / x.rows * 64;
        let share = (lines * tile).div_ceil(x.rows);
        Self {
            at: w.data.as_ptr().wrapping_add(first),
            every: (groups / share).max(1),
        }
    }
}

/// Adds to `dots` the products of `groups` groups of four columns, and moves the pointers on.
///
/// # Safety
/// AVX-512 VNNI; `64 * groups` bytes at each of `weights`, `4 * groups` at each of the `R` rows
/// that begin at `q`, `stride` bytes apart.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
#[inline]
unsafe fn add_dots<const R: usize, const P: usize>(
    weights: &mut [*const u8; P],
    q: &mut *const i8,
    stride: usize,
    groups: usize,
    dots: &mut [[__m512i; P]; R],
    ahead: &mut Ahead,
) {
    let mut left = groups;
    while left > 0 {
        let some = ahead.every.min(left);
        left -= some;
        _mm_prefetch::<_MM_HINT_T0>(ahead.at.cast());
        ahead.at = ahead.at.wrapping_add(64);
        for _ in 0..some {
            // SAFETY: the caller's lengths.
            unsafe {
                let group: [__m512i; P] =
                    std::array::from_fn(|p| _mm512_loadu_si512(weights[p].cast()));
                for weights in weights.iter_mut() {
                    *weights = weights.add(4 * LANES);
                }
                for (r, dots) in dots.iter_mut().enumerate() {
                    let four = _mm512_set1_epi32(q.add(r * stride).cast::<i32>().read_unaligned());
                    for (dot, group) in dots.iter_mut().zip(group) {
                        *dot = _mm512_dpbusd_epi32(*dot, group, four);
                    }
                }
                *q = q.add(4);
            }
        }
    }
}

/// The outputs of a panel that exist.
fn outputs(w: &PackedInt8, panel: usize) -> u16 {
    u16::MAX >> (LANES - LANES.min(w.n - panel * LANES))
}

/// Writes a panel's outputs for a row, with the bias where there is one.
///
/// # Safety
/// AVX-512 F; `panel` and `row` within the operands.
#[target_feature(enable = "avx512f")]
#[inline]
unsafe fn store(
    w: &PackedInt8,
    bias: &[f32],
    mut value: __m512,
    (panel, row): (usize, usize),
    out: &mut [f32],
) {
    let (first, mask) = (panel * LANES, outputs(w, panel));
    // SAFETY: masked loads and stores stay within the n outputs; the callers' asserts fix lengths.
    unsafe {
        if !bias.is_empty() {
            value = _mm512_add_ps(value, _mm512_maskz_loadu_ps(mask, bias.as_ptr().add(first)));
        }
        _mm512_mask_storeu_ps(out.as_mut_ptr().add(row * w.n + first), mask, value);
    }
}

/// `R` rows times `P` panels of weights with a scale for each block.
///
/// # Safety
/// AVX-512 VNNI; `panel + P` and `row + R` within the operands.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
unsafe fn blocks<const R: usize, const P: usize>(
    x: &QuantizedRows,
    w: &PackedInt8,
    bias: &[f32],
    out: &mut [f32],
    (panel, row): (usize, usize),
    mut ahead: Ahead,
) {
    let count = w.k / w.block;
    // SAFETY: a panel has LANES * k bytes and LANES scales a block, a row of `x` k bytes, and a
    // scale and an offset a block; masked stores stay within the n outputs.
    unsafe {
        let mut weights = std::array::from_fn(|p| w.data.as_ptr().add((panel + p) * LANES * w.k));
        let mut q = x.data.as_ptr().add(row * x.k);
        let mut sums = [[_mm512_setzero_ps(); P]; R];
        for b in 0..count {
            let at = |r: usize| (row + r) * count + b;
            let mut dots =
                std::array::from_fn(|r| [_mm512_set1_epi32(-*x.offsets.get_unchecked(at(r))); P]);
            add_dots::<R, P>(
                &mut weights,
                &mut q,
                x.k,
                w.block / 4,
                &mut dots,
                &mut ahead,
            );
            let scales: [__m512; P] = std::array::from_fn(|p| {
                _mm512_loadu_ps(w.scales.as_ptr().add(((panel + p) * count + b) * LANES))
            });
            for (r, (sums, dots)) in sums.iter_mut().zip(dots).enumerate() {
                let row_scale = _mm512_set1_ps(*x.scales.get_unchecked(at(r)));
                for (sum, (dot, scale)) in sums.iter_mut().zip(dots.into_iter().zip(scales)) {
                    let both = _mm512_mul_ps(scale, row_scale);
                    *sum = _mm512_fmadd_ps(_mm512_cvtepi32_ps(dot), both, *sum);
                }
            }
        }
        for p in 0..P {
            for (r, sums) in sums.iter().enumerate() {
                store(w, bias, sums[p], (panel + p, row + r), out);
            }
        }
    }
}

/// `R` rows times `P` panels of weights with one scale a row.
///
/// # Safety
/// As [`blocks`].
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
unsafe fn whole_rows<const R: usize, const P: usize>(
    x: &QuantizedRows,
    w: &PackedInt8,
    bias: &[f32],
    out: &mut [f32],
    (panel, row): (usize, usize),
    ahead: Ahead,
) {
    // SAFETY: as in `blocks`.
    unsafe {
        let dots = row_dots::<R, P>(x, w, (panel, row), ahead);
        for p in 0..P {
            let scale = _mm512_loadu_ps(w.scales.as_ptr().add((panel + p) * LANES));
            for (r, dots) in dots.iter().enumerate() {
                let row_scale = _mm512_set1_ps(*x.scales.get_unchecked(row + r));
                let both = _mm512_mul_ps(scale, row_scale);
                let value = _mm512_fmadd_ps(_mm512_cvtepi32_ps(dots[p]), both, _mm512_setzero_ps());
                store(w, bias, value, (panel + p, row + r), out);
            }
        }
    }
}

/// `R` rows times `P` panels of an affine layer.
///
/// # Safety
/// As [`blocks`].
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
unsafe fn affine<const R: usize, const P: usize>(
    x: &QuantizedRows,
    w: &PackedInt8,
    end: Epilogue<'_>,
    out: &mut [f32],
    (panel, row): (usize, usize),
    ahead: Ahead,
) {
    // SAFETY: as in `blocks`; masked loads stay within the n shifts and biases.
    unsafe {
        let dots = row_dots::<R, P>(x, w, (panel, row), ahead);
        let unit = _mm512_set1_ps(end.unit);
        for p in 0..P {
            let (first, mask) = ((panel + p) * LANES, outputs(w, panel + p));
            let shift = _mm512_maskz_loadu_epi32(mask, end.shift.as_ptr().add(first));
            let bias = _mm512_maskz_loadu_ps(mask, end.bias.as_ptr().add(first));
            for (r, dots) in dots.iter().enumerate() {
                let sum = _mm512_cvtepi32_ps(_mm512_add_epi32(dots[p], shift));
                let value = _mm512_add_ps(_mm512_mul_ps(sum, unit), bias);
                let to = out.as_mut_ptr().add((row + r) * w.n + first);
                _mm512_mask_storeu_ps(to, mask, value);
            }
        }
    }
}

/// Integer products of `R` rows with `P` panels where a row is one block.
///
/// # Safety
/// As [`blocks`].
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
#[inline]
unsafe fn row_dots<const R: usize, const P: usize>(
    x: &QuantizedRows,
    w: &PackedInt8,
    (panel, row): (usize, usize),
    mut ahead: Ahead,
) -> [[__m512i; P]; R] {
    // SAFETY: as in `blocks`.
    unsafe {
        let mut weights = std::array::from_fn(|p| w.data.as_ptr().add((panel + p) * LANES * w.k));
        let mut q = x.data.as_ptr().add(row * x.k);
        let mut dots =
            std::array::from_fn(|r| [_mm512_set1_epi32(-*x.offsets.get_unchecked(row + r)); P]);
        add_dots::<R, P>(&mut weights, &mut q, x.k, w.k / 4, &mut dots, &mut ahead);
        dots
    }
}

/// See [`super::super::Kernels::register_dots`]; called only where AVX-512 VNNI was detected.
pub(in super::super) fn register_dots(
    weights: &[u8; PEAK_PANELS * 4 * LANES],
    x: &[i8],
) -> [[i32; LANES]; PEAK_PANELS] {
    // SAFETY: the features were detected.
    unsafe { dots_in_registers(weights, x) }
}

/// # Safety
/// AVX-512 VNNI.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
unsafe fn dots_in_registers(
    weights: &[u8; PEAK_PANELS * 4 * LANES],
    x: &[i8],
) -> [[i32; LANES]; PEAK_PANELS] {
    // SAFETY: a panel is one register, as are its sums; a chunk of `x` is one integer.
    unsafe {
        let panels: [__m512i; PEAK_PANELS] =
            std::array::from_fn(|p| _mm512_loadu_si512(weights.as_ptr().add(p * 4 * LANES).cast()));
        let mut dots = [_mm512_setzero_si512(); PEAK_PANELS];
        for four in x.chunks_exact(4) {
            let four = _mm512_set1_epi32(four.as_ptr().cast::<i32>().read_unaligned());
            for (dot, panel) in dots.iter_mut().zip(panels) {
                *dot = _mm512_dpbusd_epi32(*dot, panel, four);
            }
        }
        dots.map(|dot| {
            let mut lanes = [0; LANES];
            _mm512_storeu_si512(lanes.as_mut_ptr().cast(), dot);
            lanes
        })
    }
}
