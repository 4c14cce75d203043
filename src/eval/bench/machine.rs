//! What the machine is and can do.

use std::hint::black_box;
use std::time::{Duration, Instant};

use crate::kernel::{Kernels, LANES, PEAK_PANELS};

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

/// How long a peak is measured.
const MEASURE: Duration = Duration::from_millis(200);
/// One try within that time; the best one counts, since other programs only ever slow it down.
const TRY: Duration = Duration::from_millis(5);
/// Columns of the products that the int8 peak is measured with: they stay in the first cache.
const COLUMNS: usize = 4096;
/// Words that memory's rate is measured with, of all threads together: 128 MiB, more than most
/// processors' last cache holds.
const WORDS: usize = 1 << 24;

/// Int8 multiply-adds a second of the kernels' dot product on registers
/// ([`Kernels::register_dots`]), of all threads of `pool` at once.
#[must_use]
pub fn int8_peak(kernels: Kernels, pool: &rayon::ThreadPool) -> f64 {
    let weights: [u8; PEAK_PANELS * 4 * LANES] = std::array::from_fn(|i| (i * 7 % 251) as u8);
    let x: Vec<i8> = (0..COLUMNS).map(|i| (i * 5 % 127) as i8).collect();
    let macs = (PEAK_PANELS * LANES * COLUMNS) as f64;
    let each = pool.broadcast(|_| {
        macs * best_rate(|| {
            black_box(kernels.register_dots(black_box(&weights), black_box(&x)));
        })
    });
    each.iter().sum()
}

/// Bytes a second that all threads of `pool` read from memory together, each a part of its own.
#[must_use]
pub fn memory_rate(kernels: Kernels, pool: &rayon::ThreadPool) -> f64 {
    let words: Vec<u64> = (0..WORDS as u64).collect();
    let part = WORDS / pool.current_num_threads();
    let each = pool.broadcast(|thread| {
        let words = &words[thread.index() * part..][..part];
        let once = best_rate(|| {
            black_box(kernels.sum_words(black_box(words)));
        });
        once * size_of_val(words) as f64
    });
    each.iter().sum()
}

/// How often a second `f` can be called: the best of many short tries.
fn best_rate(f: impl Fn()) -> f64 {
    let mut best = 0f64;
    let start = Instant::now();
    while start.elapsed() < MEASURE {
        let (one, mut calls) = (Instant::now(), 0_u32);
        while calls == 0 || one.elapsed() < TRY {
            f();
            calls += 1;
        }
        best = best.max(f64::from(calls) / one.elapsed().as_secs_f64());
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
