//! All SIMD: int8 and f32 matrix products and the row functions of a transformer.
//!
//! One portable implementation defines every result. Float code fixes the order of every sum (over
//! sixteen lanes where it is ours to choose) and says where a product is fused with its sum, so the
//! compiled variants give the same bits on every instruction set; integer products are exact in any
//! order. [`Kernels::detect`] chooses once.

mod affine;
mod attention;
mod gemm;
mod marian;
mod math;
mod pack;
mod peak;
mod rows;
#[cfg(target_arch = "x86_64")]
mod x86;

#[cfg(test)]
mod tests;

pub use affine::Epilogue;
pub use attention::{AttentionHead, KeyValueCache};
pub use marian::Keys;
pub use pack::{PackedF32, PackedInt8, QuantizedRows};
pub use peak::PEAK_PANELS;
pub use rows::Activation;

/// Lanes of a weight panel and of every float accumulator.
pub const LANES: usize = 16;

/// An instruction set that a kernel was written or compiled for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Isa {
    /// Whatever the target's baseline has.
    Portable,
    /// AVX2 and FMA: widening 16-bit products, saturating nowhere.
    Avx2,
    /// AVX-512 F, BW, VL and VNNI.
    Avx512,
}

/// The kernels of one instruction set; having one proves that the CPU runs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kernels {
    isa: Isa,
}

/// A forced instruction set that this CPU lacks, or a name that is none.
#[derive(Debug, thiserror::Error)]
#[error("kernels '{0}' are not available on this CPU; use auto, portable, avx2 or avx512")]
pub struct UnknownKernels(String);

impl Kernels {
    /// Portable kernels.
    #[must_use]
    pub fn portable() -> Self {
        Self { isa: Isa::Portable }
    }

    /// The best kernels of this CPU.
    #[must_use]
    pub fn detect() -> Self {
        [Isa::Avx512, Isa::Avx2]
            .into_iter()
            .find(|isa| available(*isa))
            .map_or(Self::portable(), |isa| Self { isa })
    }

    /// The kernels of this name (`auto`, `portable`, `avx2`, `avx512`).
    ///
    /// # Errors
    /// When the name is none, or the CPU lacks the instructions.
    pub fn named(name: &str) -> Result<Self, UnknownKernels> {
        let isa = match name {
            "auto" => return Ok(Self::detect()),
            "portable" => Isa::Portable,
            "avx2" => Isa::Avx2,
            "avx512" => Isa::Avx512,
            _ => return Err(UnknownKernels(name.to_owned())),
        };
        if available(isa) {
            Ok(Self { isa })
        } else {
            Err(UnknownKernels(name.to_owned()))
        }
    }

    /// The instruction set.
    #[must_use]
    pub fn isa(self) -> Isa {
        self.isa
    }

    /// Name as `--kernels` and manifests give it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self.isa {
            Isa::Portable => "portable",
            Isa::Avx2 => "avx2",
            Isa::Avx512 => "avx512",
        }
    }
}

#[cfg(target_arch = "x86_64")]
fn available(isa: Isa) -> bool {
    match isa {
        Isa::Portable => true,
        Isa::Avx2 => is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma"),
        Isa::Avx512 => {
            is_x86_feature_detected!("fma")
                && is_x86_feature_detected!("avx512f")
                && is_x86_feature_detected!("avx512bw")
                && is_x86_feature_detected!("avx512vl")
                && is_x86_feature_detected!("avx512vnni")
        }
    }
}

#[cfg(not(target_arch = "x86_64"))]
fn available(isa: Isa) -> bool {
    isa == Isa::Portable
}

/// Runs `$portable` compiled for the instruction set of `$isa`.
///
/// The function must be `#[inline(always)]`, so that its body is compiled with the features.
macro_rules! multiversion {
    ($isa:expr, $portable:ident ( $($arg:ident : $ty:ty),* $(,)? ) $(-> $ret:ty)?) => {{
        #[cfg(target_arch = "x86_64")]
        {
            #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx2,fma")]
            fn avx512($($arg: $ty),*) $(-> $ret)? { $portable($($arg),*) }
            #[target_feature(enable = "avx2,fma")]
            fn avx2($($arg: $ty),*) $(-> $ret)? { $portable($($arg),*) }
            match $isa {
                $crate::kernel::Isa::Portable => $portable($($arg),*),
                #[expect(unsafe_code, reason = "calls code compiled for a detected instruction set")]
                // SAFETY: a `Kernels` of this instruction set exists only where it was detected.
                $crate::kernel::Isa::Avx2 => unsafe { avx2($($arg),*) },
                #[expect(unsafe_code, reason = "calls code compiled for a detected instruction set")]
                // SAFETY: as above.
                $crate::kernel::Isa::Avx512 => unsafe { avx512($($arg),*) },
            }
        }
        #[cfg(not(target_arch = "x86_64"))]
        { $portable($($arg),*) }
    }};
}
pub(crate) use multiversion;
