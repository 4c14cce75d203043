//! Matrix products at the shapes of the embedded model: `cargo bench --bench kernel`.

use tarjama::kernel::{Kernels, PackedInt8, QuantizedRows};

fn main() {
    divan::main();
}

/// One feed-forward matrix, 640 columns to 2,048 rows, blocks of 32.
#[divan::bench(args = [1, 8, 32], consts = [0, 1, 2])]
fn int8_product<const ISA: usize>(bencher: divan::Bencher<'_, '_>, rows: usize) {
    let name = ["portable", "avx2", "avx512"][ISA];
    let Ok(kernels) = Kernels::named(name) else {
        return;
    };
    let (n, k, block) = (2048, 640, 32);
    let weights: Vec<i8> = (0..n * k).map(|i| (i * 7 % 31) as i8 - 15).collect();
    let packed = PackedInt8::new(&weights, &vec![0.01; n * k / block], n, k, block);
    let x: Vec<f32> = (0..rows * k).map(|i| (i % 17) as f32 - 8.0).collect();
    let mut quantized = QuantizedRows::default();
    let mut out = vec![0f32; rows * n];
    bencher
        .counter(divan::counter::ItemsCount::new(rows * n * k))
        .bench_local(|| {
            kernels.quantize(&x, k, block, &mut quantized);
            kernels.matmul_int8(&quantized, &packed, &[], &mut out);
        });
}
