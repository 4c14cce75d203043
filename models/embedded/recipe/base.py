"""The weights to start from: Gemma 3 270M with its vocabulary cut to ours, or those of a shipped file.

Usage: base.py MODEL.gguf KEPT_IDS.json OUT.pt
A file with more tokens than KEPT_IDS has is taken for the original, whose embedding is cut to the kept rows.
"""
import json
import sys

import numpy as np
import torch
from gguf import GGUFReader, dequantize

src, kept, out = sys.argv[1:]
kept = json.load(open(kept))
weights = {}
for t in GGUFReader(src).tensors:
    w = dequantize(t.data, t.tensor_type)
    if t.name == "token_embd.weight" and len(w) != len(kept):
        w = w[kept]
    weights[t.name.replace(".", "_")] = torch.from_numpy(np.array(w, np.float32))
torch.save(weights, out)
print(out, sum(w.numel() for w in weights.values()), "parameters")
