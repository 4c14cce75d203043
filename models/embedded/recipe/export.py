"""A trained checkpoint -> the shipped GGUF file: Q5_0 matrices, Q8_0 embedding (tied output), f32 norms.

Usage: export.py ORIGINAL.gguf KEPT_IDS.json CHECKPOINT.pt OUT.gguf [--matrices Q5_0] [--values OUT.pt]
The metadata are the original's, its token lists cut to the kept ids. `--values` also writes the weights as
the file gives them back. OUT.gguf.1 and .2 are the file cut at a tensor's beginning, as the repository
keeps it.
"""
import argparse
import json
import pathlib

import numpy as np
import torch
from gguf import GGMLQuantizationType as Q
from gguf import GGUFReader, GGUFWriter
from gguf import GGUFValueType as V

from blocks import quantise

a = argparse.ArgumentParser()
for n in ("original", "kept", "checkpoint", "out"):
    a.add_argument(n)
a.add_argument("--matrices", default="Q5_0", choices=("Q4_0", "Q5_0", "Q8_0"))
a.add_argument("--values")
o = a.parse_args()
r, kept = GGUFReader(o.original), json.load(open(o.kept))
weights = torch.load(o.checkpoint, map_location="cpu")
w = GGUFWriter(o.out, "gemma3")
for key, f in r.fields.items():
    if key.startswith("GGUF.") or key in ("general.architecture", "general.file_type", "general.quantization_version"):
        continue
    if f.types[0] == V.ARRAY:
        vals = f.contents()
        if len(vals) > max(kept):
            vals = [vals[i] for i in kept]
        elif key == "tokenizer.ggml.merges":
            continue
        w.add_array(key, vals)
    else:
        w.add_key_value(key, f.contents(), f.types[0])
w.add_file_type({"Q8_0": 7, "Q4_0": 2, "Q5_0": 8}[o.matrices])
w.add_quantization_version(2)
back = {}
for t in r.tensors:
    key = t.name.replace(".", "_")
    x = weights[key].float()
    if x.dim() == 2:
        kind = "Q8_0" if t.name == "token_embd.weight" else o.matrices
        data, back[key] = quantise(x, kind)
        w.add_tensor(t.name, data, raw_dtype=Q[kind])
    else:
        w.add_tensor(t.name, x.numpy().astype(np.float32))
        back[key] = x
w.write_header_to_file()
w.write_kv_data_to_file()
w.write_tensors_to_file()
w.close()
if o.values:
    torch.save(back, o.values)
whole = pathlib.Path(o.out).read_bytes()
starts = sorted(t.data_offset for t in GGUFReader(o.out).tensors)
cut = min(starts, key=lambda s: abs(s - len(whole) // 2))
for i, part in enumerate((whole[:cut], whole[cut:]), 1):
    pathlib.Path(f"{o.out}.{i}").write_bytes(part)
print(o.out, len(whole), "bytes,", len(kept), "tokens")
