//! The int8 product on x86-64, equal to the portable one bit for bit.
#![expect(unsafe_code, reason = "vector loads, stores and instructions")]

use std::arch::x86_64::*;

use super::LANES;
use super::affine::Epilogue;
use super::pack::{PackedInt8, QuantizedRows};

/// Calls `tile` with 8, 4, 2 or 1 rows at a time for each panel.
macro_rules! tiles {
    ($x:expr, $w:expr, $out:expr, $tile:ident, $($rows:literal),+) => {
        for panel in 0..$w.n.div_ceil(LANES) {
            let mut row = 0;
            while row < $x.rows {
                let left = $x.rows - row;
                $(if left >= $rows {
                    // SAFETY: the caller's features hold; `row + ROWS <= rows` and the panel
                    // exists, and the asserts of `matmul_int8` fix every length.
                    unsafe { $tile::<$rows>($x, $w, $out, panel, row) };
                    row += $rows;
                    continue;
                })+
            }
        }
    };
}

/// See [`super::Kernels::matmul_int8`]; called only where AVX-512 VNNI was detected.
pub(super) fn matmul_int8_avx512(x: &QuantizedRows, w: &PackedInt8, out: &mut [f32]) {
    tiles!(x, w, out, tile_avx512, 8, 4, 2, 1);
}

/// See [`super::Kernels::matmul_int8`]; called only where AVX2 was detected.
pub(super) fn matmul_int8_avx2(x: &QuantizedRows, w: &PackedInt8, out: &mut [f32]) {
    tiles!(x, w, out, tile_avx2, 2, 1);
}

/// # Safety
/// AVX-512 F and VNNI; `panel` and `row + R` within the operands.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
unsafe fn tile_avx512<const R: usize>(
    x: &QuantizedRows,
    w: &PackedInt8,
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
        let mut sums = [_mm512_setzero_ps(); R];
        for b in 0..blocks {
            let mut dots: [__m512i; R] = std::array::from_fn(|r| {
                _mm512_set1_epi32(-*x.offsets.get_unchecked((row + r) * blocks + b))
            });
            for _ in 0..groups {
                let panel_group = _mm512_loadu_si512(weights.cast());
                weights = weights.add(4 * LANES);
                for (r, dot) in dots.iter_mut().enumerate() {
                    let four = q.add(r * x.k).cast::<i32>().read_unaligned();
                    *dot = _mm512_dpbusd_epi32(*dot, panel_group, _mm512_set1_epi32(four));
                }
                q = q.add(4);
            }
            let scale = _mm512_loadu_ps(scales.add(b * LANES));
            for (r, sum) in sums.iter_mut().enumerate() {
                let row_scale = _mm512_set1_ps(*x.scales.get_unchecked((row + r) * blocks + b));
                let both = _mm512_mul_ps(scale, row_scale);
                *sum = _mm512_add_ps(*sum, _mm512_mul_ps(_mm512_cvtepi32_ps(dots[r]), both));
            }
        }
        let mask = ((1u32 << width) - 1) as u16;
        for (r, sum) in sums.iter().enumerate() {
            let to = out.as_mut_ptr().add((row + r) * w.n + panel * LANES);
            _mm512_mask_storeu_ps(to, mask, *sum);
        }
    }
}

/// # Safety
/// AVX2; `panel` and `row + R` within the operands.
#[target_feature(enable = "avx2")]
unsafe fn tile_avx2<const R: usize>(
    x: &QuantizedRows,
    w: &PackedInt8,
    out: &mut [f32],
    panel: usize,
    row: usize,
) {
    let blocks = w.k / w.block;
    let groups = w.block / 4;
    let width = LANES.min(w.n - panel * LANES);
    // SAFETY: as in `tile_avx512`.
    unsafe {
        let mut weights = w.data.as_ptr().add(panel * LANES * w.k);
        let scales = w.scales.as_ptr().add(panel * blocks * LANES);
        let mut q = x.data.as_ptr().add(row * x.k);
        let mut sums = [[_mm256_setzero_ps(); 2]; R];
        for b in 0..blocks {
            let dots = dots_avx2::<R>(weights, q, x.k, groups);
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
                    sum[half] =
                        _mm256_add_ps(sum[half], _mm256_mul_ps(_mm256_cvtepi32_ps(dot), both));
                }
            }
        }
        for (r, sum) in sums.iter().enumerate() {
            let mut lanes = [0f32; LANES];
            _mm256_storeu_ps(lanes.as_mut_ptr(), sum[0]);
            _mm256_storeu_ps(lanes.as_mut_ptr().add(8), sum[1]);
            out[(row + r) * w.n + panel * LANES..][..width].copy_from_slice(&lanes[..width]);
        }
    }
}

/// See [`super::Kernels::affine_int8`]; called only where AVX-512 VNNI was detected.
pub(super) fn affine_int8_avx512(
    x: &QuantizedRows,
    w: &PackedInt8,
    end: Epilogue<'_>,
    out: &mut [f32],
) {
    let panels = w.n.div_ceil(LANES);
    let mut panel = 0;
    while panel < panels {
        let pair = panels - panel >= 2;
        let mut row = 0;
        while row < x.rows {
            let left = x.rows - row;
            // SAFETY: the features were detected; `row + R <= rows`, `panel + P <= panels`, and
            // the asserts of `affine_int8` fix every length.
            row += unsafe {
                match (pair, left) {
                    (true, 8..) => affine_avx512::<8, 2>(x, w, end, out, panel, row),
                    (true, 4..) => affine_avx512::<4, 2>(x, w, end, out, panel, row),
                    (true, 2..) => affine_avx512::<2, 2>(x, w, end, out, panel, row),
                    (true, _) => affine_avx512::<1, 2>(x, w, end, out, panel, row),
                    (false, 8..) => affine_avx512::<8, 1>(x, w, end, out, panel, row),
                    (false, 4..) => affine_avx512::<4, 1>(x, w, end, out, panel, row),
                    (false, _) => affine_avx512::<1, 1>(x, w, end, out, panel, row),
                }
            };
        }
        panel += if pair { 2 } else { 1 };
    }
}

/// `R` rows times `P` panels; gives `R`.
///
/// # Safety
/// AVX-512 F and VNNI; `panel + P` and `row + R` within the operands.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
unsafe fn affine_avx512<const R: usize, const P: usize>(
    x: &QuantizedRows,
    w: &PackedInt8,
    end: Epilogue<'_>,
    out: &mut [f32],
    panel: usize,
    row: usize,
) -> usize {
    // SAFETY: a panel has LANES * k bytes and a row of `x` k; the masked loads and stores stay
    // within the n outputs.
    unsafe {
        let mut weights: [*const u8; P] =
            std::array::from_fn(|p| w.data.as_ptr().add((panel + p) * LANES * w.k));
        let mut q = x.data.as_ptr().add(row * x.k);
        let mut dots: [[__m512i; P]; R] =
            std::array::from_fn(|r| [_mm512_set1_epi32(-*x.offsets.get_unchecked(row + r)); P]);
        for _ in 0..w.k / 4 {
            let group: [__m512i; P] =
                std::array::from_fn(|p| _mm512_loadu_si512(weights[p].cast()));
            for weights in &mut weights {
                *weights = weights.add(4 * LANES);
            }
            for (r, dots) in dots.iter_mut().enumerate() {
                let four = _mm512_set1_epi32(q.add(r * x.k).cast::<i32>().read_unaligned());
                for (dot, group) in dots.iter_mut().zip(group) {
                    *dot = _mm512_dpbusd_epi32(*dot, group, four);
                }
            }
            q = q.add(4);
        }
        let unit = _mm512_set1_ps(end.unit);
        for p in 0..P {
            let first = (panel + p) * LANES;
            let mask = u16::MAX >> (LANES - LANES.min(w.n - first));
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
    R
}

/// See [`super::Kernels::affine_int8`]; called only where AVX2 was detected.
pub(super) fn affine_int8_avx2(
    x: &QuantizedRows,
    w: &PackedInt8,
    end: Epilogue<'_>,
    out: &mut [f32],
) {
    for panel in 0..w.n.div_ceil(LANES) {
        let mut row = 0;
        while row < x.rows {
            // SAFETY: as in `affine_int8_avx512`.
            row += unsafe {
                if x.rows - row >= 2 {
                    affine_avx2::<2>(x, w, end, out, panel, row)
                } else {
                    affine_avx2::<1>(x, w, end, out, panel, row)
                }
            };
        }
    }
}

/// `R` rows times one panel; gives `R`.
///
/// # Safety
/// AVX2; `panel` and `row + R` within the operands.
#[target_feature(enable = "avx2")]
unsafe fn affine_avx2<const R: usize>(
    x: &QuantizedRows,
    w: &PackedInt8,
    end: Epilogue<'_>,
    out: &mut [f32],
    panel: usize,
    row: usize,
) -> usize {
    // SAFETY: as in `affine_avx512`.
    let sums = unsafe {
        let weights = w.data.as_ptr().add(panel * LANES * w.k);
        let q = x.data.as_ptr().add(row * x.k);
        dots_avx2::<R>(weights, q, x.k, w.k / 4)
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
#[target_feature(enable = "avx2")]
#[inline]
unsafe fn dots_avx2<const R: usize>(
    mut weights: *const u8,
    mut q: *const i8,
    stride: usize,
    groups: usize,
) -> [[__m256i; 2]; R] {
    // Four rows of the panel in each register, two partial sums a row.
    let mut dots = [[_mm256_setzero_si256(); 4]; R];
    for _ in 0..groups {
        // SAFETY: the caller's lengths.
        unsafe {
            let wide: [__m256i; 4] = std::array::from_fn(|i| {
                _mm256_cvtepu8_epi16(_mm_loadu_si128(weights.add(16 * i).cast()))
            });
            weights = weights.add(4 * LANES);
            for (r, dot) in dots.iter_mut().enumerate() {
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
    dots.map(|dot| {
        [0, 1].map(|half| {
            let pairs = _mm256_hadd_epi32(dot[2 * half], dot[2 * half + 1]);
            _mm256_permute4x64_epi64(pairs, 0b11_01_10_00)
        })
    })
}
