"""GGUF block quantisation by least squares, and training through it.

Blocks of 32 values along a row share a scale d, stored as f16 (layouts as ggml has them):
Q8_0 = d, 32 int8; Q5_0 = d, 32 high bits, 16 bytes of low nibbles, x = d (q - 16); Q4_0 = d, nibbles,
x = d (q - 8). Low nibbles hold elements 0-15, high ones 16-31.
"""
import numpy as np
import torch

LEVELS = {"Q4_0": (-8, 7), "Q5_0": (-16, 15), "Q8_0": (-127, 127)}
CHUNK = 1 << 17  # blocks at a time: bounds the memory


def scales(x, kind):
    """The scale of each block of x [.., 32] with the smallest squared error, among a range about the peak's own."""
    lo, hi = LEVELS[kind]
    peak = x.gather(-1, x.abs().argmax(-1, keepdim=True))
    best, scale = torch.full_like(peak, float("inf")), torch.zeros_like(peak)
    end = hi if hi > 100 else lo
    for f in [1.0] if hi > 100 else np.linspace(0.80, 1.10, 16):
        d = peak / end * float(f)
        for _ in range(2):  # the best scale for the rounded values, twice
            q = rounded(x, d, lo, hi)
            den = (q * q).sum(-1, keepdim=True)
            d = torch.where(den > 0, (q * x).sum(-1, keepdim=True) / den, torch.zeros_like(d))
        d = d.half().float()
        e = (rounded(x, d, lo, hi) * d - x).square().sum(-1, keepdim=True)
        better = e < best
        best, scale = torch.where(better, e, best), torch.where(better, d, scale)
    return scale


def rounded(x, d, lo, hi):
    inv = torch.where(d != 0, 1 / d, torch.zeros_like(d))
    return (x * inv).round().clamp(lo, hi)


def blocks(w):
    return w.reshape(-1, 32)


def all_scales(w, kind):
    return torch.cat([scales(b, kind) for b in blocks(w.float()).split(CHUNK)])


class Rounded:
    """The values that the file of `kind` will give back, for the matrices of a model; embeddings stay as they are.

    Nothing is rounded before the first `rescale`, which searches the scales for all weights.
    """

    def __init__(self, names, kind):
        self.names, self.kind, self.d = names, kind, []

    def rescale(self, master):
        self.d = [all_scales(w, self.kind) if w.dim() == 2 and "token_embd" not in n else None
                  for n, w in zip(self.names, master)]

    def values(self, i, w):
        if not self.d or self.d[i] is None:
            return w
        return (rounded(blocks(w), self.d[i], *LEVELS[self.kind]) * self.d[i]).view_as(w)


def quantise(w, kind):
    """The bytes (u8 [rows, bytes]) of w [rows, columns] and the values (f32) that they give back."""
    lo, hi = LEVELS[kind]
    d = all_scales(w, kind)
    q = rounded(blocks(w.float()), d, lo, hi)
    back = (q * d).view(w.shape)
    d, q = d.numpy().astype("<f2").view(np.uint8).reshape(-1, 2), q.numpy()
    if kind == "Q8_0":
        parts = [d, q.astype(np.int8).view(np.uint8)]
    else:
        q = (q - lo).astype(np.uint8)
        parts = [d]
        if kind == "Q5_0":
            bits = ((q >> 4).astype(np.uint32) << np.arange(32, dtype=np.uint32)).sum(1, dtype=np.uint32)
            parts.append(bits.astype("<u4").view(np.uint8).reshape(-1, 4))
        parts.append((q[:, :16] & 15) | ((q[:, 16:] & 15) << 4))
    return np.concatenate(parts, 1).reshape(len(w), -1), back
