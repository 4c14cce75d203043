//! Products on AVX2, equal to the portable ones bit for bit.
#![expect(unsafe_code, reason = "vector loads, stores and instructions")]

use std::arch::x86_64::*;

use super::super::affine::Epilogue;
use super::super::pack::{PackedInt8, QuantizedRows};
use super::{LANES, PEAK_PANELS};

/// See [`super::super::Kernels::matmul_int8`]; called only where AVX2 was detected.
pub(in super::super) fn matmul_int8(
    x: &QuantizedRows,
    w: &PackedInt8,
    bias: &[f32],
    out: &mut [f32],
) {
    for panel in 0..w.n.div_ceil(LANES) {
        let mut row = 0;
        while row < x.rows {
            // SAFETY: AVX2 was detected; `row + R <= rows`, the panel exists, and the asserts of
            // the caller fix every length.
            unsafe {
                if x.rows - row >= 2 {
                    blocks::<2>(x, w, bias, out, panel, row);
                    row += 2;
                } else {
                    blocks::<1>(x, w, bias, out, panel, row);
                    row += 1;
                }
            }
        }
    }
}

/// # Safety
/// AVX2; `panel` and `row + R` within the operands.
#[target_feature(enable = "avx2,fma")]
unsafe fn blocks<const R: usize>(
    x: &QuantizedRows,
    w: &PackedInt8,
    bias: &[f32],
    out: &mut [f32],
    panel: usize,
    row: usize,
) {
    let blocks = w.k / w.block;
    let groups = w.block / 4;
    let width = LANES.min(w.n - panel * LANES);
    // SAFETY: a panel has LANES * k bytes, `data` and the rows of `x` are k bytes each, scales and
    // offsets `blocks` each; all offsets below stay within these.
    unsafe {
        let mut weights = w.data.as_ptr().add(panel * LANES * w.k);
        let scales = w.scales.as_ptr().add(panel * blocks * LANES);
        let mut q = x.data.as_ptr().add(row * x.k);
        let mut sums = [[_mm256_setzero_ps(); 2]; R];
        for b in 0..blocks {
            let dots = dots::<R>(weights, q, x.k, groups);
            weights = weights.add(4 * LANES * groups);
            q = q.add(4 * groups);
            let scale = [
                _mm256_loadu_ps(scales.add(b * LANES)),
                _mm256_loadu_ps(scales.add(b * LANES + 8)),
            ];
            for (r, sum) in sums.iter_mut().enumerate() {
                let at = (row + r) * blocks + b;
                let offset = _mm256_set1_epi32(*x.offsets.get_unchecked(at));
                let row_scale = _mm256_set1_ps(*x.scales.get_unchecked(at));
                for half in 0..2 {
                    let dot = _mm256_sub_epi32(dots[r][half], offset);
                    let both = _mm256_mul_ps(scale[half], row_scale);
                    sum[half] = _mm256_fmadd_ps(_mm256_cvtepi32_ps(dot), both, sum[half]);
                }
            }
        }
        for (r, sum) in sums.iter().enumerate() {
            let mut lanes = [0f32; LANES];
            _mm256_storeu_ps(lanes.as_mut_ptr(), sum[0]);
            _mm256_storeu_ps(lanes.as_mut_ptr().add(8), sum[1]);
            if !bias.is_empty() {
                for (lane, b) in lanes.iter_mut().zip(&bias[panel * LANES..][..width]) {
                    *lane += b;
                }
            }
            out[(row + r) * w.n + panel * LANES..][..width].copy_from_slice(&lanes[..width]);
        }
    }
}

/// See [`super::super::Kernels::affine_int8`]; called only where AVX2 was detected.
pub(in super::super) fn affine_int8(
    x: &QuantizedRows,
    w: &PackedInt8,
    end: Epilogue<'_>,
    out: &mut [f32],
) {
    for panel in 0..w.n.div_ceil(LANES) {
        let mut row = 0;
        while row < x.rows {
            // SAFETY: AVX2 was detected; `row + R <= rows`, the panel exists, and the asserts of
            // the caller fix every length.
            row += unsafe {
                if x.rows - row >= 2 {
                    affine::<2>(x, w, end, out, panel, row)
                } else {
                    affine::<1>(x, w, end, out, panel, row)
                }
            };
        }
    }
}

/// `R` rows times one panel; gives `R`.
///
/// # Safety
/// AVX2; `panel` and `row + R` within the operands.
#[target_feature(enable = "avx2,fma")]
unsafe fn affine<const R: usize>(
    x: &QuantizedRows,
    w: &PackedInt8,
    end: Epilogue<'_>,
    out: &mut [f32],
    panel: usize,
    row: usize,
) -> usize {
    // SAFETY: as in `blocks`.
    let sums = unsafe {
        let weights = w.data.as_ptr().add(panel * LANES * w.k);
        let q = x.data.as_ptr().add(row * x.k);
        dots::<R>(weights, q, x.k, w.k / 4)
    };
    let first = panel * LANES;
    let width = LANES.min(w.n - first);
    for (r, sum) in sums.iter().enumerate() {
        let mut lanes = [0i32; LANES];
        // SAFETY: the array has room for both halves.
        unsafe {
            _mm256_storeu_si256(lanes.as_mut_ptr().cast(), sum[0]);
            _mm256_storeu_si256(lanes.as_mut_ptr().add(8).cast(), sum[1]);
        }
        let ends = end.shift[first..].iter().zip(&end.bias[first..]);
        let out = &mut out[(row + r) * w.n + first..][..width];
        for ((o, dot), (shift, bias)) in out.iter_mut().zip(lanes).zip(ends) {
            *o = (dot - x.offsets[row + r] + shift) as f32 * end.unit + bias;
        }
    }
    R
}

/// Integer sums of one panel with `R` rows over `groups` of four columns; a row's next one lies
/// `stride` bytes on.
///
/// # Safety
/// AVX2; `64 * groups` bytes at `weights`, `4 * groups` at each row.
#[target_feature(enable = "avx2,fma")]
#[inline]
unsafe fn dots<const R: usize>(
    mut weights: *const u8,
    mut q: *const i8,
    stride: usize,
    groups: usize,
) -> [[__m256i; 2]; R] {
    // Four rows of the panel in each register, two partial sums a row.
    let mut sums = [[_mm256_setzero_si256(); 4]; R];
    for _ in 0..groups {
        // SAFETY: the caller's lengths.
        unsafe {
            let wide: [__m256i; 4] = std::array::from_fn(|i| {
                _mm256_cvtepu8_epi16(_mm_loadu_si128(weights.add(16 * i).cast()))
            });
            weights = weights.add(4 * LANES);
            for (r, dot) in sums.iter_mut().enumerate() {
                let four = q.add(r * stride).cast::<i32>().read_unaligned();
                let four = _mm256_broadcastq_epi64(_mm_cvtepi8_epi16(_mm_cvtsi32_si128(four)));
                for (d, w) in dot.iter_mut().zip(wide) {
                    // 16-bit products added in pairs in 32 bits: nothing saturates.
                    *d = _mm256_add_epi32(*d, _mm256_madd_epi16(w, four));
                }
            }
            q = q.add(4);
        }
    }
    sums.map(|dot| {
        [0, 1].map(|half| {
            let pairs = _mm256_hadd_epi32(dot[2 * half], dot[2 * half + 1]);
            _mm256_permute4x64_epi64(pairs, 0b11_01_10_00)
        })
    })
}

/// See [`super::super::Kernels::register_dots`]; called only where AVX2 was detected.
pub(in super::super) fn register_dots(
    weights: &[u8; PEAK_PANELS * 4 * LANES],
    x: &[i8],
) -> [[i32; LANES]; PEAK_PANELS] {
    let mut out = [[0; LANES]; PEAK_PANELS];
    for (out, panel) in out.iter_mut().zip(weights.chunks_exact(4 * LANES)) {
        // SAFETY: AVX2 was detected; a panel has 4 * LANES bytes.
        unsafe { panel_in_registers(panel, x, out) }
    }
    out
}

/// One panel at a time: its weights, widened to 16 bits, and its sums are half of all registers.
///
/// # Safety
/// AVX2; `panel` has `4 * LANES` bytes.
#[target_feature(enable = "avx2,fma")]
unsafe fn panel_in_registers(panel: &[u8], x: &[i8], out: &mut [i32; LANES]) {
    // SAFETY: the caller's length; a chunk of `x` is one integer, `out` has room for both halves.
    unsafe {
        let wide: [__m256i; 4] = std::array::from_fn(|i| {
            _mm256_cvtepu8_epi16(_mm_loadu_si128(panel.as_ptr().add(16 * i).cast()))
        });
        let mut sums = [_mm256_setzero_si256(); 4];
        for four in x.chunks_exact(4) {
            let four = four.as_ptr().cast::<i32>().read_unaligned();
            let four = _mm256_broadcastq_epi64(_mm_cvtepi8_epi16(_mm_cvtsi32_si128(four)));
            for (sum, w) in sums.iter_mut().zip(wide) {
                *sum = _mm256_add_epi32(*sum, _mm256_madd_epi16(w, four));
            }
        }
        for half in 0..2 {
            let pairs = _mm256_hadd_epi32(sums[2 * half], sums[2 * half + 1]);
            let dots = _mm256_permute4x64_epi64(pairs, 0b11_01_10_00);
            _mm256_storeu_si256(out.as_mut_ptr().add(8 * half).cast(), dots);
        }
    }
}
