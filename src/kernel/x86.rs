//! The int8 products on x86-64.

pub(super) mod avx2;
pub(super) mod avx512;

use super::{LANES, PEAK_PANELS};

/// Fetches the line that holds `at` into the cache; an address that is none does nothing.
#[inline(always)]
#[expect(unsafe_code, reason = "an instruction")]
pub(super) fn prefetch(at: *const f32) {
    use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
    // SAFETY: SSE belongs to x86-64, and a prefetch neither faults nor changes a value.
    unsafe { _mm_prefetch::<_MM_HINT_T0>(at.cast()) }
}
