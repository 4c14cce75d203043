//! Packed weights and quantised activations.

use super::LANES;

/// Int8 weights of a linear layer `[n, k]`, packed for the micro-kernel, with one scale for each
/// block of `block` columns of each row (GGUF blocks have 32; `block == k` is one scale a row).
///
/// Layout: panels of 16 rows. In a panel, for each group of four columns, 64 bytes: row 0's four
/// columns, row 1's, .. row 15's, each as `weight + 128` (so that weights are the unsigned operand
/// of `vpdpbusd` and activations can be broadcast as the signed one). Scales: for each panel and
/// block 16 f32. Rows are padded with zero weights and zero scales to a multiple of 16.
#[derive(Debug, Clone, Default)]
pub struct PackedInt8 {
    pub(super) n: usize,
    pub(super) k: usize,
    pub(super) block: usize,
    pub(super) data: Vec<u8>,
    pub(super) scales: Vec<f32>,
}

impl PackedInt8 {
    /// Packs `weights` (row-major `[n, k]`) with `scales` (row-major `[n, k / block]`).
    ///
    /// # Panics
    /// When the lengths do not fit, or `block` is no multiple of four that divides `k`.
    #[must_use]
    pub fn new(weights: &[i8], scales: &[f32], n: usize, k: usize, block: usize) -> Self {
        assert!(block > 0 && block.is_multiple_of(4) && k.is_multiple_of(block));
        assert_eq!(weights.len(), n * k);
        let blocks = k / block;
        assert_eq!(scales.len(), n * blocks);
        let panels = n.div_ceil(LANES);
        let mut data = vec![128u8; panels * LANES * k];
        let mut packed_scales = vec![0f32; panels * LANES * blocks];
        for row in 0..n {
            let (panel, lane) = (row / LANES, row % LANES);
            let panel_data = &mut data[panel * LANES * k..][..LANES * k];
            for (group, four) in weights[row * k..][..k].chunks_exact(4).enumerate() {
                let out = &mut panel_data[group * 4 * LANES + lane * 4..][..4];
                for (o, &w) in out.iter_mut().zip(four) {
                    *o = w.cast_unsigned() ^ 0x80;
                }
            }
            for b in 0..blocks {
                packed_scales[(panel * blocks + b) * LANES + lane] = scales[row * blocks + b];
            }
        }
        Self {
            n,
            k,
            block,
            data,
            scales: packed_scales,
        }
    }

    /// Rows: outputs of the layer.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.n
    }

    /// Columns: inputs of the layer.
    #[must_use]
    pub fn columns(&self) -> usize {
        self.k
    }

    /// Columns that share a scale.
    #[must_use]
    pub fn block(&self) -> usize {
        self.block
    }

    /// The sum of each row's weights: `[n]`.
    #[must_use]
    pub fn row_sums(&self) -> Vec<i32> {
        (0..self.n)
            .map(|row| {
                let data = &self.data[row / LANES * LANES * self.k..][..LANES * self.k];
                data.chunks_exact(4 * LANES)
                    .flat_map(|group| &group[row % LANES * 4..][..4])
                    .map(|&byte| i32::from((byte ^ 0x80).cast_signed()))
                    .sum()
            })
            .collect()
    }

    /// Packs the rows `rows` of this matrix into `out`, whose buffers are reused.
    ///
    /// # Panics
    /// When a row does not exist.
    pub fn select(&self, rows: &[u32], out: &mut Self) {
        let (k, blocks) = (self.k, self.k / self.block);
        (out.n, out.k, out.block) = (rows.len(), k, self.block);
        let panels = out.n.div_ceil(LANES);
        out.data.clear();
        out.data.resize(panels * LANES * k, 128);
        out.scales.clear();
        out.scales.resize(panels * LANES * blocks, 0.0);
        for (to, &from) in rows.iter().enumerate() {
            let from = from as usize;
            let (source, target) = (from / LANES * LANES * k, to / LANES * LANES * k);
            let source = &self.data[source..][..LANES * k];
            let target = &mut out.data[target..][..LANES * k];
            let groups = source.chunks_exact(4 * LANES);
            for (source, target) in groups.zip(target.chunks_exact_mut(4 * LANES)) {
                target[to % LANES * 4..][..4].copy_from_slice(&source[from % LANES * 4..][..4]);
            }
            for block in 0..blocks {
                out.scales[(to / LANES * blocks + block) * LANES + to % LANES] =
                    self.scales[(from / LANES * blocks + block) * LANES + from % LANES];
            }
        }
    }

    /// Row `row` as floats, for embedding lookup.
    ///
    /// # Panics
    /// When the row does not exist or `out` is not one row long.
    pub fn dequantize_row(&self, row: usize, out: &mut [f32]) {
        assert!(row < self.n && out.len() == self.k);
        let (panel, lane) = (row / LANES, row % LANES);
        let blocks = self.k / self.block;
        let data = &self.data[panel * LANES * self.k..];
        for (column, o) in out.iter_mut().enumerate() {
            let byte = data[(column / 4) * 4 * LANES + lane * 4 + column % 4];
            let scale = self.scales[(panel * blocks + column / self.block) * LANES + lane];
            *o = f32::from((byte ^ 0x80).cast_signed()) * scale;
        }
    }
}

/// Float weights of a linear layer `[n, k]` in panels of 16 rows: `[n / 16, k, 16]`.
#[derive(Debug, Clone)]
pub struct PackedF32 {
    pub(super) n: usize,
    pub(super) k: usize,
    pub(super) data: Vec<f32>,
}

impl PackedF32 {
    /// Packs row-major `[n, k]` weights.
    ///
    /// # Panics
    /// When the length does not fit.
    #[must_use]
    pub fn new(weights: &[f32], n: usize, k: usize) -> Self {
        assert_eq!(weights.len(), n * k);
        let mut data = vec![0f32; n.div_ceil(LANES) * LANES * k];
        for row in 0..n {
            let panel = &mut data[row / LANES * LANES * k..][..LANES * k];
            for (column, &w) in weights[row * k..][..k].iter().enumerate() {
                panel[column * LANES + row % LANES] = w;
            }
        }
        Self { n, k, data }
    }

    /// Rows: outputs of the layer.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.n
    }

    /// Columns: inputs of the layer.
    #[must_use]
    pub fn columns(&self) -> usize {
        self.k
    }

    /// Row `row`, for embedding lookup.
    ///
    /// # Panics
    /// When the row does not exist or `out` is not one row long.
    pub fn row(&self, row: usize, out: &mut [f32]) {
        assert!(row < self.n && out.len() == self.k);
        let panel = &self.data[row / LANES * LANES * self.k..];
        for (column, o) in out.iter_mut().enumerate() {
            *o = panel[column * LANES + row % LANES];
        }
    }
}

/// Activations `[rows, k]` in int8 with a scale and a sum for each block of each row.
///
/// A buffer to be reused: filled by [`super::Kernels::quantize`].
#[derive(Debug, Default, Clone)]
pub struct QuantizedRows {
    pub(super) k: usize,
    pub(super) block: usize,
    pub(super) rows: usize,
    pub(super) data: Vec<i8>,
    /// `[rows, k / block]`
    pub(super) scales: Vec<f32>,
    /// 128 times the sum of a block's values: what the weights' offset adds to each product.
    pub(super) offsets: Vec<i32>,
}

impl QuantizedRows {
    /// Values, row-major `[rows, k]`.
    #[must_use]
    pub fn values(&self) -> &[i8] {
        &self.data
    }

    /// Scales, row-major `[rows, k / block]`.
    #[must_use]
    pub fn scales(&self) -> &[f32] {
        &self.scales
    }
}
