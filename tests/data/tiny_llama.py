"""Writes tiny_llama.gguf, a random model of the Llama layout with a byte-level vocabulary, and tiny_llama.json, what
Hugging Face transformers (float32, the file's weights dequantised) makes of it: greedy ids with the gap between the two
best logits of every step.

Run: pip install gguf==0.19.0 transformers==5.24.0 torch==2.15.0 && python tiny_llama.py
Licences: gguf MIT, transformers and tokenizers Apache-2.0. The text below is this project's own.
"""
import json
import pathlib

import numpy as np
import torch
from gguf import GGMLQuantizationType as T
from gguf import GGUFWriter, GGML_QUANT_SIZES
from gguf.quants import quantize
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

HERE = pathlib.Path(__file__).parent
LAYERS, WIDTH, HEADS, KV_HEADS, FFN = 3, 64, 4, 2, 256
TEXT = (
    "The ministers met in Baghdad on Monday. The minister of water said the plan would bring water to the city, "
    "and that the city would pay 85 million for it. It's the second plan of the year, they said.\n\n"
    "قال الوزير إن الخطة ستوفر المياه للمدينة، وإن المدينة ستدفع ثمنها. "
) * 4
random = np.random.default_rng(11)

# The vocabulary: three control tokens, the bytes, and merges learned from the text.
tokenizer = Tokenizer(models.BPE())
tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
    [pre_tokenizers.Digits(True), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)]
)
tokenizer.decoder = decoders.ByteLevel()
controls = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
trainer = trainers.BpeTrainer(
    vocab_size=352, special_tokens=controls, initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()), show_progress=False
)
tokenizer.train_from_iterator([TEXT], trainer)
state = json.loads(tokenizer.to_str())
tokens = sorted(state["model"]["vocab"], key=state["model"]["vocab"].get)
merges = [" ".join(m) if isinstance(m, list) else m for m in state["model"]["merges"]]

writer = GGUFWriter(HERE / "tiny_llama.gguf", "llama")
writer.add_name("tiny")
writer.add_languages(["en"])
writer.add_block_count(LAYERS)
writer.add_context_length(256)
writer.add_embedding_length(WIDTH)
writer.add_feed_forward_length(FFN)
writer.add_head_count(HEADS)
writer.add_head_count_kv(KV_HEADS)
writer.add_layer_norm_rms_eps(1e-3)
writer.add_rope_freq_base(700.0)
writer.add_rope_dimension_count(WIDTH // HEADS)
writer.add_vocab_size(len(tokens))
writer.add_tokenizer_model("gpt2")
writer.add_tokenizer_pre("smollm")
writer.add_token_list(tokens)
writer.add_token_types([3 if t in controls else 1 for t in tokens])
writer.add_token_merges(merges)
writer.add_bos_token_id(1)
writer.add_eos_token_id(2)
writer.add_chat_template(
    "{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}{{ '<|im_start|>system\n"
    "You are tiny<|im_end|>\n' }}{% endif %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] + "
    "'<|im_end|>' + '\n'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)


def matrix(name, rows, columns, kind, scale=1.0):
    if kind in (T.Q4_K, T.Q5_K, T.Q6_K):
        # The package does not quantise to these: random blocks, with ordinary scales.
        values, size = GGML_QUANT_SIZES[kind]
        data = random.integers(0, 256, (rows, columns // values * size), dtype=np.uint8)
        blocks = data.reshape(-1, size)
        places = {208: 2e-4} if kind == T.Q6_K else {0: 4e-4, 2: 3e-3}
        for at, spread in places.items():
            halves = np.abs(random.normal(0, spread, len(blocks))).astype(np.float16)
            blocks[:, at : at + 2] = halves.view(np.uint8).reshape(-1, 2)
        writer.add_tensor(name, data, raw_dtype=kind)
        return
    values = random.normal(0, scale / columns**0.5, (rows, columns)).astype(np.float32)
    writer.add_tensor(name, values if kind == T.F32 else quantize(values, kind), raw_dtype=kind)


def norm(name):
    writer.add_tensor(name, (1 + random.normal(0, 0.2, WIDTH)).astype(np.float32))


head = WIDTH // HEADS
matrix("token_embd.weight", len(tokens), WIDTH, T.Q8_0, 8.0)
for i in range(LAYERS):
    norm(f"blk.{i}.attn_norm.weight")
    matrix(f"blk.{i}.attn_q.weight", WIDTH, WIDTH, T.Q4_0, 2.0)
    matrix(f"blk.{i}.attn_k.weight", KV_HEADS * head, WIDTH, T.Q4_1, 2.0)
    matrix(f"blk.{i}.attn_v.weight", KV_HEADS * head, WIDTH, T.Q5_0)
    matrix(f"blk.{i}.attn_output.weight", WIDTH, WIDTH, T.Q5_1)
    norm(f"blk.{i}.ffn_norm.weight")
    matrix(f"blk.{i}.ffn_gate.weight", FFN, WIDTH, [T.BF16, T.Q4_1, T.Q8_0][i], 2.0)
    matrix(f"blk.{i}.ffn_up.weight", FFN, WIDTH, [T.Q4_0, T.Q8_0, T.Q4_1][i], 2.0)
    matrix(f"blk.{i}.ffn_down.weight", WIDTH, FFN, [T.Q4_K, T.Q5_K, T.Q6_K][i])
norm("output_norm.weight")
matrix("output.weight", len(tokens), WIDTH, T.F16, 3.0)
writer.write_header_to_file()
writer.write_kv_data_to_file()
writer.write_tensors_to_file()
writer.close()

from transformers import AutoModelForCausalLM  # noqa: E402

model = AutoModelForCausalLM.from_pretrained(HERE, gguf_file="tiny_llama.gguf", dtype=torch.float32).eval()
cases = []
for prompt in ["The ministers met", "المياه للمدينة", "It's 85 million, they said.\n\n" + TEXT[:120]]:
    ids = tokenizer.encode(prompt, add_special_tokens=False).ids
    out, margins = list(ids), []
    with torch.no_grad():
        for _ in range(24):
            logits = model(torch.tensor([out])).logits[0, -1]
            best = logits.topk(2)
            margins.append(round(float(best.values[0] - best.values[1]), 5))
            out.append(int(best.indices[0]))
    cases.append({"prompt": prompt, "prompt_ids": ids, "ids": out[len(ids) :], "margins": margins})
(HERE / "tiny_llama.json").write_text(json.dumps(cases, ensure_ascii=False, indent=1) + "\n")

# The same vocabulary under other rules for where words end, for the tokeniser's tests.
LLAMA3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
from tokenizers import Regex, normalizers  # noqa: E402


def split(pattern):
    return pre_tokenizers.Sequence(
        [pre_tokenizers.Split(Regex(pattern), "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
    )


rules = {
    "smollm": tokenizer.pre_tokenizer,
    "gpt-2": pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True),
    "llama-bpe": split(LLAMA3),
    "qwen2": split(LLAMA3.replace(r"\p{N}{1,3}", r"\p{N}")),
}
texts = [
    "The ministers met in Baghdad on Monday.", "It's IT'S they'LL   three  spaces\n\n\n and\ttabs \r\n end ", "1,234.5 + 85 = 2024",
    "قال الوزير إن الخطة ستوفر ١٢٫٥٪ من المياه", "🇮🇶 👩‍👩‍👧 café cafe\u0301 ½ Ⅻ", "a <|im_end|>\n<|im_start|>system b<|endoftext|>", "", " ", "\n",
]
# Control tokens in a text are text: the reference must not know them.
plain = Tokenizer(models.BPE(vocab={t: i for t, i in state["model"]["vocab"].items()}, merges=[tuple(m.split(" ")) for m in merges]))
plain.decoder = decoders.ByteLevel()
golden = {}
for name, rule in rules.items():
    plain.pre_tokenizer = rule
    if name == "qwen2":
        plain.normalizer = normalizers.NFC()
    golden[name] = [{"text": t, "ids": plain.encode(t, add_special_tokens=False).ids} for t in texts]
(HERE / "tiny_tokenizer.json").write_text(json.dumps(golden, ensure_ascii=False, indent=None) + "\n")
