"""Greedy goldens of the shipped weights in float32, one segment at a time.

Usage: goldens.py --tokenizer tokenizer.json --values VALUES.pt --set articles.jsonl --out goldens.jsonl
Lines: {"direction", "source", "prompt_ids", "ids" (with the final EOS), "text", "logprob" (mean over ids),
"margin" (the smallest gap between the best and the second logit on the way: where it is near 0, another
order of additions may choose otherwise)}. Into English no piece with Arabic letters is chosen or counted.
"""
import argparse
import json
import re

import torch
from tokenizers import Tokenizer

from gemma import Gemma, L
from text import EOS, PROMPTS, clean, prompt

a = argparse.ArgumentParser()
for n in ("--tokenizer", "--values", "--set", "--out"):
    a.add_argument(n, required=True)
o = a.parse_args()
tok = Tokenizer.from_file(o.tokenizer)
arabic = [i for t, i in tok.get_vocab().items() if re.search("[\u0600-\u06ff]", t)]
m = Gemma(torch.load(o.values, map_location="cpu")).eval()
sentences = [s for l in open(o.set, encoding="utf-8") for s in json.loads(l)["sentences"]]
with torch.no_grad(), open(o.out, "w", encoding="utf-8") as f:
    for d in PROMPTS:
        for s in sentences:
            source = clean(s["en" if d == "en-ar" else "ar"])
            p = prompt(tok, source, d)
            cache = [[] for _ in range(L)]
            h = m(torch.tensor([p]), cache, torch.arange(len(p))[None])[:, -1]
            ids, total, margin = [], 0.0, 1e9
            while len(ids) < 3 * len(p) + 16:
                z = m.logits(h)[0]
                if d == "ar-en":
                    z[arabic] = -torch.inf
                top = z.topk(2)
                ids.append(int(top.indices[0]))
                total += float(z.log_softmax(-1)[ids[-1]])
                margin = min(margin, float(top.values[0] - top.values[1]))
                if ids[-1] == EOS:
                    break
                h = m(torch.tensor([ids[-1:]]), cache, torch.tensor([[len(p) + len(ids) - 1]]))[:, -1]
            row = {"direction": d, "source": source, "prompt_ids": p, "ids": ids,
                   "text": tok.decode([i for i in ids if i != EOS]).strip(),
                   "logprob": round(total / len(ids), 6), "margin": round(margin, 5)}
            f.write(json.dumps(row, ensure_ascii=False) + "\n")
