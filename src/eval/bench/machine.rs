//! What the machine is and can do.

use std::hint::black_box;
use std::time::{Duration, Instant};

use crate::kernel::{Kernels, PackedInt8, QuantizedRows};

/// Most memory that this process ever held, in bytes.
#[must_use]
pub fn peak_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    status_kib(&status, "VmHWM:").map(|kib| kib * 1024)
}

fn status_kib(status: &str, key: &str) -> Option<u64> {
    let value = status.lines().find_map(|line| line.strip_prefix(key))?;
    value.trim().strip_suffix("kB")?.trim().parse().ok()
}

/// Name of the processor, as the system gives it.
#[must_use]
pub fn cpu_name() -> Option<String> {
    let info = std::fs::read_to_string("/proc/cpuinfo").ok()?;
    let name = info.lines().find(|line| line.starts_with("model name"))?;
    Some(name.split_once(':')?.1.trim().to_owned())
}

/// Rows, columns and outputs of the product that the peak is measured with: weights of a quarter of
/// a megabyte, in one block, stay in a core's second cache.
const SHAPE: (usize, usize, usize) = (64, 512, 512);
/// How long the peak is measured.
const MEASURE: Duration = Duration::from_millis(200);
/// One try within that time; the best one counts, since other programs only ever slow it down.
const TRY: Duration = Duration::from_millis(5);

/// Int8 multiply-adds a second of the product kernel on data in the cache, of all threads of `pool`
/// at once.
#[must_use]
pub fn int8_peak(kernels: Kernels, pool: &rayon::ThreadPool) -> f64 {
    let each = pool.broadcast(|_| int8_peak_of_one(kernels));
    each.iter().sum()
}

fn int8_peak_of_one(kernels: Kernels) -> f64 {
    let (rows, k, n) = SHAPE;
    let values: Vec<i8> = (0..n * k).map(|i| (i * 7 % 251) as i8).collect();
    let weights = PackedInt8::new(&values, &vec![0.01; n], n, k, k);
    let x: Vec<f32> = (0..rows * k).map(|i| (i % 17) as f32 - 8.0).collect();
    let mut quantized = QuantizedRows::default();
    kernels.quantize(&x, k, k, &mut quantized);
    let mut out = vec![0f32; rows * n];
    let mut best = 0f64;
    let start = Instant::now();
    while start.elapsed() < MEASURE {
        let (one, mut products) = (Instant::now(), 0_u32);
        while one.elapsed() < TRY {
            kernels.matmul_int8(&quantized, &weights, &[], &mut out);
            black_box(&mut out);
            products += 1;
        }
        let macs = f64::from(products) * (rows * k * n) as f64;
        best = best.max(macs / one.elapsed().as_secs_f64());
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_peak_of_a_status_file() {
        let status = "VmPeak:\t  10 kB\nVmHWM:\t    1234 kB\nVmRSS:\t 99 kB\n";
        assert_eq!(status_kib(status, "VmHWM:"), Some(1234));
        assert_eq!(status_kib(status, "VmSwap:"), None);
    }
}
