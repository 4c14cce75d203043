use super::*;
use proptest::prelude::*;

/// A small deterministic generator; tests need spread, not quality.
pub(super) fn noise(len: usize, seed: u64) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    (0..len)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 40) as f32 / 8_388_608.0 - 1.0
        })
        .collect()
}

pub(super) fn all() -> Vec<Kernels> {
    ["portable", "avx2", "avx512"]
        .iter()
        .filter_map(|n| Kernels::named(n).ok())
        .collect()
}

fn int8_case(rows: usize, n: usize, blocks: usize, block: usize, seed: u64, extreme: bool) {
    let k = blocks * block;
    let x: Vec<f32> = noise(rows * k, seed)
        .iter()
        .map(|v| if extreme { v.signum() } else { v * 3.0 })
        .collect();
    let w: Vec<i8> = noise(n * k, seed + 1)
        .iter()
        .map(|v| {
            if extreme {
                if *v < 0.0 { -128 } else { 127 }
            } else {
                (v * 127.0) as i8
            }
        })
        .collect();
    let scales = noise(n * blocks, seed + 2);
    let bias = if seed.is_multiple_of(2) {
        Vec::new()
    } else {
        noise(n, seed + 3)
    };
    let packed = PackedInt8::new(&w, &scales, n, k, block);
    let mut results: Vec<Vec<u32>> = Vec::new();
    for kernels in all() {
        let mut q = QuantizedRows::default();
        kernels.quantize(&x, k, block, &mut q);
        let mut out = vec![0f32; rows * n];
        kernels.matmul_int8(&q, &packed, &bias, &mut out);
        // The definition in 64-bit integers, one output at a time.
        for r in 0..rows {
            for o in 0..n {
                let mut sum = 0f32;
                for b in 0..blocks {
                    let dot: i64 = (0..block)
                        .map(|c| {
                            i64::from(q.data[r * k + b * block + c])
                                * i64::from(w[o * k + b * block + c])
                        })
                        .sum();
                    let scale = scales[o * blocks + b] * q.scales[r * blocks + b];
                    sum = (dot as f32).mul_add(scale, sum);
                }
                if let Some(bias) = bias.get(o) {
                    sum += bias;
                }
                assert_eq!(
                    out[r * n + o].to_bits(),
                    sum.to_bits(),
                    "{kernels:?} row {r} output {o}"
                );
            }
        }
        results.push(out.iter().map(|v| v.to_bits()).collect());
    }
    assert!(results.windows(2).all(|w| w[0] == w[1]));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn int8_product_is_exact_on_every_instruction_set(
        rows in 0usize..18, n in 1usize..50, blocks in 1usize..4, quads in 1usize..12, seed in 0u64..1000, extreme: bool
    ) {
        int8_case(rows, n, blocks, quads * 4, seed, extreme);
    }

    #[test]
    fn float_functions_give_the_same_bits_on_every_instruction_set(len in 1usize..300, seed in 0u64..1000) {
        let a: Vec<f32> = noise(len, seed).iter().map(|v| v * 20.0).collect();
        let b = noise(len, seed + 7);
        let run = |k: Kernels| {
            let mut bits = vec![k.dot(&a, &b).to_bits()];
            let mut out = vec![0f32; len];
            k.rms_norm(&a, &b, 1e-6, &mut out);
            k.gelu_tanh_mul(&mut out, &a);
            k.silu_mul(&mut out, &b);
            bits.extend(out.iter().map(|v| v.to_bits()));
            let (best, lse) = k.argmax_log_sum_exp(&a);
            bits.extend([best as u32, lse.to_bits()]);
            bits
        };
        let portable = run(Kernels::portable());
        for k in all() {
            prop_assert_eq!(&run(k), &portable);
        }
    }
}

#[test]
fn float_product_equals_the_naive_one() {
    for (rows, n, k) in [(0, 3, 4), (1, 1, 1), (3, 17, 33), (9, 40, 64)] {
        let (x, w) = (noise(rows * k, 3), noise(n * k, 4));
        let packed = PackedF32::new(&w, n, k);
        for kernels in all() {
            let mut out = vec![0f32; rows * n];
            kernels.matmul_f32(&x, &packed, &mut out);
            for r in 0..rows {
                for o in 0..n {
                    let naive = (0..k).fold(0f32, |s, c| s + x[r * k + c] * w[o * k + c]);
                    assert_eq!(out[r * n + o], naive);
                }
            }
        }
    }
}

#[test]
fn log_sum_exp_is_close_to_double_precision() {
    let x: Vec<f32> = noise(5000, 9).iter().map(|v| v * 30.0).collect();
    let exact = x.iter().map(|v| f64::from(*v).exp()).sum::<f64>().ln();
    let (best, lse) = Kernels::detect().argmax_log_sum_exp(&x);
    assert!((f64::from(lse) - exact).abs() < 1e-5, "{lse} {exact}");
    assert!(x.iter().all(|v| *v <= x[best]));
}

#[test]
fn embedding_rows_come_back() {
    let w: Vec<i8> = (0..20 * 64).map(|i| (i % 255) as i8).collect();
    let scales = noise(20 * 2, 5);
    let packed = PackedInt8::new(&w, &scales, 20, 64, 32);
    let mut row = vec![0f32; 64];
    packed.dequantize_row(17, &mut row);
    for (c, v) in row.iter().enumerate() {
        assert_eq!(*v, f32::from(w[17 * 64 + c]) * scales[17 * 2 + c / 32]);
    }
}

#[test]
fn fails_when_forced_kernels_do_not_exist() {
    assert!(Kernels::named("sse9").is_err());
}
