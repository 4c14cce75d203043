//! The two exponentials of Marian's softmax.

use super::super::gemm::round_to_int;

/// The exponential as Cephes approximates it, without fused operations.
#[inline(always)]
pub(super) fn exp(x: f32) -> f32 {
    const BOUND: f32 = 88.376_26;
    const LN2_HIGH: f32 = 0.693_359_4;
    const LN2_LOW: f32 = -2.121_944_4e-4;
    let x = if x < -BOUND { -BOUND } else { x };
    let x = if x > BOUND { BOUND } else { x };
    let power = (x * std::f32::consts::LOG2_E + 0.5).floor();
    let rest = x - power * LN2_HIGH - power * LN2_LOW;
    let mut series = 1.987_569_1e-4;
    for term in [
        1.398_199_9e-3,
        8.333_452e-3,
        4.166_579_6e-2,
        1.666_666_5e-1,
        0.5,
    ] {
        series = series * rest + term;
    }
    let value = series * (rest * rest) + rest + 1.0;
    // `power` is within ±128, so the shifted exponent is a small positive number.
    value * f32::from_bits(((round_to_int(power) + 127) as u32) << 23)
}

/// `2^(i/32)` as the bits of a double, less `i` in the exponent's place.
const POWERS: [u64; 32] = [
    0x3ff0_0000_0000_0000,
    0x3fef_d9b0_d315_8574,
    0x3fef_b558_6cf9_890f,
    0x3fef_9301_d012_5b51,
    0x3fef_72b8_3c7d_517b,
    0x3fef_5487_3168_b9aa,
    0x3fef_387a_6e75_6238,
    0x3fef_1e9d_f51f_dee1,
    0x3fef_06fe_0a31_b715,
    0x3fee_f1a7_373a_a9cb,
    0x3fee_dea6_4c12_3422,
    0x3fee_ce08_6061_892d,
    0x3fee_bfda_d536_2a27,
    0x3fee_b42b_569d_4f82,
    0x3fee_ab07_dd48_5429,
    0x3fee_a47e_b03a_5585,
    0x3fee_a09e_667f_3bcd,
    0x3fee_9f75_e8ec_5f74,
    0x3fee_a114_73eb_0187,
    0x3fee_a589_994c_ce13,
    0x3fee_ace5_422a_a0db,
    0x3fee_b737_b0cd_c5e5,
    0x3fee_c491_82a3_f090,
    0x3fee_d503_b23e_255d,
    0x3fee_e89f_995a_d3ad,
    0x3fee_ff76_f2fb_5e47,
    0x3fef_199b_dd85_529c,
    0x3fef_3720_dcef_9069,
    0x3fef_5818_dcfb_a487,
    0x3fef_7c97_337b_9b5f,
    0x3fef_a4af_a2a4_90da,
    0x3fef_d076_5b6e_4540,
];

/// The exponential of the C library (glibc) on processors with fused operations, for `x <= 0`.
/// Source: the algorithm of Arm's optimized-routines: a table of 32 powers, a cubic in doubles.
#[inline(always)]
pub(super) fn expf(x: f32) -> f32 {
    const SHIFT: f64 = 6_755_399_441_055_744.0;
    const STEPS: f64 = std::f64::consts::LOG2_E * 32.0;
    const CUBIC: [f64; 3] = [
        0.055_503_615_593_415_35 / 32_768.0,
        0.240_228_452_244_572_2 / 1024.0,
        0.693_147_180_691_620_3 / 32.0,
    ];
    // The result of anything smaller is rounded to zero.
    let x = if x < -104.0 { -104.0 } else { x };
    let x = f64::from(x);
    let shifted = STEPS.mul_add(x, SHIFT);
    let index = shifted.to_bits();
    let rest = STEPS.mul_add(x, -(shifted - SHIFT));
    let scale = f64::from_bits(POWERS[(index % 32) as usize].wrapping_add(index << 47));
    let high = CUBIC[0].mul_add(rest, CUBIC[1]);
    let low = CUBIC[2].mul_add(rest, 1.0);
    (high.mul_add(rest * rest, low) * scale) as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_the_exponentials_close_everywhere() {
        for step in -8000..=8000 {
            let x = step as f32 * 0.01;
            let wanted = x.exp();
            assert!((exp(x) - wanted).abs() <= wanted * 3e-7, "{x}");
            if x <= 0.0 {
                assert!((expf(x) - wanted).abs() <= wanted * 1e-7, "{x}");
            }
        }
        assert!(exp(f32::MAX).is_finite() && exp(f32::NEG_INFINITY) < 1e-37);
        assert!(expf(f32::NEG_INFINITY) == 0.0 && expf(0.0) == 1.0);
    }

    #[test]
    #[cfg(all(target_os = "linux", target_env = "gnu", target_arch = "x86_64"))]
    fn gives_the_bits_of_the_c_library() {
        if is_x86_feature_detected!("fma") {
            for step in 0..2_000_000u32 {
                let x = -f32::from_bits(0x3000_0000 + step * 140);
                assert_eq!(expf(x).to_bits(), x.exp().to_bits(), "{x}");
            }
        }
    }
}
