//! The int8 products on x86-64.

pub(super) mod avx2;
pub(super) mod avx512;

use super::LANES;
