"""Gemma 3 270M (text only) in plain torch, by the tensor names of its GGUF file ("." written "_").

`Gemma` decodes (with a cache) and states the semantics that the Rust engine must follow; `Trainee` is
the same forward pass for training: one compiled block for all layers, loss on the target tokens alone.
Shapes: D width, L layers, H query heads over one key-value head of HD, FF the feed-forward width.
Source: the Gemma 3 report (arXiv 2503.19786) and llama.cpp's `gemma3` graph.
"""
import math

import torch
import torch.nn.functional as F
from torch import nn

L, D, H, HD, FF, EPS = 18, 640, 4, 256, 2048, 1e-6
NAMES = ("attn_norm attn_q attn_k attn_v attn_q_norm attn_k_norm attn_output post_attention_norm "
         "ffn_norm ffn_gate ffn_up ffn_down post_ffw_norm").split()


def rope(n, base):
    """Cosines and sines [n, HD] of rotary positions."""
    inv = 1.0 / base ** (torch.arange(0, HD, 2).float() / HD)
    a = torch.outer(torch.arange(n).float(), inv)
    a = torch.cat([a, a], -1)
    return a.cos(), a.sin()


def rotate(x, c, s):
    h = x.shape[-1] // 2
    return x * c + torch.cat([-x[..., h:], x[..., :h]], -1) * s


def rms(x, w):
    f = x.float()
    return (f * torch.rsqrt(f.pow(2).mean(-1, keepdim=True) + EPS) * w.float()).to(x.dtype)


def block(x, c, s, an, wq, wk, wv, qn, kn, wo, pan, fn, wg, wu, wd, pfn, cache=None):
    """One layer over x [B, T, D]; `cache` is a list [k, v] that grows, or None while training."""
    B, T, _ = x.shape
    h = rms(x, an)
    heads = lambda w, n: F.linear(h, w).view(B, T, n, HD).transpose(1, 2)
    q, k, v = rotate(rms(heads(wq, H), qn), c, s), rotate(rms(heads(wk, 1), kn), c, s), heads(wv, 1)
    if cache is not None:
        if cache:
            k, v = torch.cat([cache[0], k], 2), torch.cat([cache[1], v], 2)
        cache[:] = [k, v]
    o = F.scaled_dot_product_attention(q, k.expand(B, H, -1, HD), v.expand(B, H, -1, HD),
                                       is_causal=T > 1, scale=HD ** -0.5)
    x = x + rms(F.linear(o.transpose(1, 2).reshape(B, T, H * HD), wo), pan)
    h = rms(x, fn)
    h = F.gelu(F.linear(h, wg), approximate="tanh") * F.linear(h, wu)
    return x + rms(F.linear(h, wd), pfn)


class Gemma(nn.Module):
    def __init__(self, weights, maxlen=1024):
        super().__init__()
        self.p = nn.ParameterDict({k: nn.Parameter(v) for k, v in weights.items()})
        self.t = [rope(maxlen, b) for b in (1e4, 1e6)]  # five layers in six are local

    def layer(self, i):
        return [self.p[f"blk_{i}_{n}_weight"] for n in NAMES]

    def embed(self, ids):
        return F.embedding(ids, self.p["token_embd_weight"]) * math.sqrt(D)

    def forward(self, ids, cache, pos):
        """Hidden states after the last norm, [B, T, D], of ids [B, T] at positions pos [B, T]."""
        x = self.embed(ids)
        for i in range(L):
            c, s = (t.to(x.device, x.dtype)[pos][:, None] for t in self.t[i % 6 == 5])
            x = block(x, c, s, *self.layer(i), cache=cache[i])
        return rms(x, self.p["output_norm_weight"])

    def logits(self, h):
        return F.linear(h, self.p["token_embd_weight"])


def head(h, norm, emb, y):
    return F.cross_entropy(F.linear(rms(h, norm), emb).float(), y)


class Trainee:
    def __init__(self, model, device):
        self.m = model
        self.block = torch.compile(block, dynamic=True)
        self.head = torch.compile(head, dynamic=True)
        self.t = [[x.to(device, torch.bfloat16) for x in t] for t in model.t]

    def loss(self, ids, labels):
        """Mean loss in nats over the labels that are not -100; both [B, T]."""
        T, p = ids.shape[1], self.m.p
        x = self.m.embed(ids)
        for i in range(L):
            c, s = self.t[i % 6 == 5]
            x = self.block(x, c[:T], s[:T], *self.m.layer(i))
        y = labels.flatten()
        at = (y != -100).nonzero()[:, 0]
        return self.head(x.flatten(0, 1)[at], p["output_norm_weight"], p["token_embd_weight"], y[at])
