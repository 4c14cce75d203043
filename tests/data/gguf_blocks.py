"""Writes gguf_blocks.json: two blocks of each GGUF element type and their values by the Python package gguf (MIT).

Run: pip install gguf==0.19.0 && python gguf_blocks.py > gguf_blocks.json
"""
import json

import numpy as np
from gguf import GGML_QUANT_SIZES, GGMLQuantizationType as T
from gguf.quants import dequantize

random = np.random.default_rng(7)
# Byte offsets of the f16 numbers of a block, which must be ordinary numbers; all other bytes are free.
HALVES = {T.Q4_0: [0], T.Q4_1: [0, 2], T.Q5_0: [0], T.Q5_1: [0, 2], T.Q8_0: [0], T.Q4_K: [0, 2], T.Q5_K: [0, 2], T.Q6_K: [208]}
out = {}
for kind, places in HALVES.items():
    values, size = GGML_QUANT_SIZES[kind]
    blocks = random.integers(0, 256, (512 // values if values == 256 else 2, size), dtype=np.uint8)
    for at in places:
        halves = random.normal(0, 0.01, len(blocks)).astype(np.float16)
        blocks[:, at : at + 2] = halves.view(np.uint8).reshape(-1, 2)
    floats = dequantize(blocks, kind).reshape(-1)
    # Hexadecimal of the little-endian f32 values: exact.
    out[kind.name] = {"code": int(kind), "block": values, "bytes": blocks.tobytes().hex(), "values": floats.astype("<f4").tobytes().hex()}
floats = random.normal(0, 1, 64).astype(np.float32)
bf16 = (floats.view(np.uint32) >> 16).astype(np.uint16)
out["BF16"] = {
    "code": int(T.BF16), "block": 1, "bytes": bf16.astype("<u2").tobytes().hex(),
    "values": dequantize(bf16.view(np.uint8).reshape(1, -1), T.BF16).astype("<f4").tobytes().hex(),
}
print(json.dumps(out, indent=1))
