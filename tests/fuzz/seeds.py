"""Writes small seeds for every target to corpus/TARGET: valid files that fuzzing starts from."""
import gzip, hashlib, io, json, pathlib, struct, tarfile, zipfile

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
u32, u64, f32 = (lambda n: struct.pack("<I", n)), (lambda n: struct.pack("<Q", n)), (lambda x: struct.pack("<f", x))


def seed(target, name, data):
    path = HERE / "corpus" / target
    path.mkdir(parents=True, exist_ok=True)
    (path / f"seed-{name}").write_bytes(data if isinstance(data, bytes) else data.encode())


def gguf(keys, tensors):
    text = lambda s: u64(len(s.encode())) + s.encode()
    out, data = b"GGUF" + u32(3) + u64(len(tensors)) + u64(len(keys)), b""
    for key, value in keys.items():
        out += text(key)
        if isinstance(value, str):
            out += u32(8) + text(value)
        elif isinstance(value, float):
            out += u32(6) + f32(value)
        elif isinstance(value, list):
            out += u32(9) + u32(8) + u64(len(value)) + b"".join(map(text, value))
        else:
            out += u32(4) + u32(value)
    for name, (rows, columns, kind) in tensors.items():
        size = rows * columns // 32 * {0: 128, 1: 64, 6: 22, 8: 34}[kind]
        out += text(name) + u32(2) + u64(columns) + u64(rows) + u32(kind) + u64(len(data))
        data += bytes(i * 7 % 60 for i in range(size)) + bytes(-size % 32)
    return out + bytes(-len(out) % 32) + data


def causal():
    size = dict.fromkeys(["embedding_length", "attention.key_length", "feed_forward_length"], 32)
    one = dict.fromkeys(["block_count", "attention.head_count", "attention.head_count_kv"], 1)
    keys = {"general.architecture": "gemma3", "tokenizer.ggml.tokens": ["a", "b"]}
    keys |= {f"gemma3.{k}": v for k, v in (size | one).items()}
    keys |= {f"gemma3.{k}": 64 for k in ["context_length", "attention.sliding_window"]}
    keys |= {"gemma3.attention.layer_norm_rms_epsilon": 1e-6, "gemma3.rope.freq_base": 1e6}
    tensors = {"token_embd.weight": (2, 32, 6), "output_norm.weight": (1, 32, 0)}
    for name in ["attn_norm", "attn_q_norm", "attn_k_norm", "post_attention_norm", "ffn_norm", "post_ffw_norm"]:
        tensors[f"blk.0.{name}.weight"] = (1, 32, 0)
    for kind, name in enumerate(["attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down"]):
        tensors[f"blk.0.{name}.weight"] = (32, 32, [6, 8][kind % 2])
    return gguf(keys, tensors)


YAML = """type: transformer
dim-emb: 8
dim-vocabs:
  - 8
  - 8
enc-depth: 1
dec-depth: 1
dec-cell: ssru
transformer-decoder-autoreg: rnn
tied-embeddings-all: true
transformer-heads: 2
transformer-ffn-depth: 2
transformer-decoder-ffn-depth: 0
transformer-ffn-activation: relu
transformer-postprocess: dan
transformer-preprocess: ""
transformer-tied-layers: []
"""


def marian(tensors):
    """Named (type, shape, data) triples in Marian's binary form."""
    out, shapes, data = u64(1) + u64(len(tensors)), b"", b""
    for name, (kind, shape, content) in tensors.items():
        out += u64(len(name) + 1) + u64(kind) + u64(len(shape)) + u64(len(content))
        shapes += b"".join(struct.pack("<i", n) for n in shape)
        data += content
    return out + b"".join(n.encode() + b"\0" for n in tensors) + shapes + u64(0) + data


def ssru():
    weights = lambda rows, columns: (0x4101, [rows, columns], bytes(i * 5 % 256 for i in range(rows * columns)) + f32(16))
    floats = lambda *values: (0x0404, [1, len(values)], b"".join(map(f32, values)))
    row, wide = floats(*[0.5] * 8), floats(*[0.1] * 16)
    tensors = {"Wemb": weights(8, 8), "decoder_ff_logit_out_b": row, "none_QuantMultA": floats(12.0)}
    norm = lambda prefix: {f"{prefix}_ln_scale": row, f"{prefix}_ln_bias": row}
    for prefix in ["encoder_l1_self", "decoder_l1_context"]:
        for letter in "qkvo":
            tensors |= {f"{prefix}_W{letter}": weights(8, 8), f"{prefix}_b{letter}": row}
        tensors |= norm(f"{prefix}_Wo")
    for prefix in ["encoder_l1_ffn", "decoder_l1_ffn"]:
        tensors |= {f"{prefix}_W1": weights(8, 16), f"{prefix}_b1": wide, f"{prefix}_W2": weights(16, 8), f"{prefix}_b2": row}
        tensors |= norm(f"{prefix}_ffn")
    tensors |= {"decoder_l1_rnn_W": weights(8, 8), "decoder_l1_rnn_Wf": weights(8, 8), "decoder_l1_rnn_bf": row}
    tensors |= norm("decoder_l1_rnn_ffn")
    config = YAML.encode() + b"\0"
    return marian(tensors | {"special:model.yml": (0x0101, [len(config)], config)})


def spm():
    varint = lambda n: bytes([n]) if n < 128 else bytes([n & 127 | 128]) + varint(n >> 7)
    field = lambda number, data: varint(number << 3 | 2) + varint(len(data)) + data
    piece = lambda text, score, kind: field(1, field(1, text.encode()) + b"\x15" + f32(score) + bytes([0x18, kind]))
    pieces = [("</s>", 0, 3), ("<unk>", 0, 2), ("▁", -3, 1), ("a", -4, 1), ("b", -4, 1), ("▁ab", -5, 1), ("و", -4, 4)]
    pieces += [(f"<0x{byte:02X}>", 0, 6) for byte in (0x61, 0xD9)]
    trie = b"".join(map(u32, [1 << 10] + [0] * 96 + [97 | 1 << 8 | 2 << 10, 0, 1 << 31])) + bytes(40)
    normaliser = field(3, field(2, u32(len(trie)) + trie + b"x\0") + b"\x18\x01\x20\x01\x28\x01")
    model = b"".join(piece(*p) for p in pieces) + field(2, b"\x18\x01\x98\x02\x01")
    return model + normaliser


def tokenizer(model):
    added = {"id": 0, "content": "<pad>", "special": True, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False}
    return json.dumps({
        "version": "1.0", "truncation": None, "padding": None, "added_tokens": [added],
        "normalizer": {"type": "Sequence", "normalizers": [{"type": "NFKC"}, {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}]},
        "pre_tokenizer": {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": False},
        "post_processor": None, "decoder": {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": False}, "model": model})


def zipped(method):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        archive.writestr("pkg/model.gguf", b"weights " * 9)
        archive.writestr("../evil", b"x")
    return out.getvalue()


def bundled(mode):
    content, manifest = b"weights", {"id": "m", "about": "", "task": "translate", "family": "firefox", "licence": "MIT", "directions": ["en-ar"]}
    files = {"model.bin": {"size": len(content), "sha256": hashlib.sha256(content).hexdigest(), "source": "x"}}
    lock = json.dumps({"schema": "tarjama-lock/1", "revision": "r1", "manifest": manifest, "files": files})
    seed("lockfile", "one", lock)
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode, format=tarfile.GNU_FORMAT) as archive:
        for name, data in [("m/lock.json", lock.encode()), ("m/files/model.bin", content)]:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


def main():
    seed("gguf", "causal", u32(4096)[:2] + causal())
    seed("gguf", "q8", u32(0)[:2] + gguf({"general.alignment": 64}, {"w": (2, 32, 8), "v": (1, 32, 1)}))
    seed("marian", "ssru", ssru())
    seed("marian_config", "ssru", YAML)
    lexicon = [2, 2, 4, 3]
    seed("lexical", "one", bytes(16) + b"".join(map(u64, lexicon + [0, 1, 3, 3])) + b"".join(map(u32, [5, 6, 7])))
    seed("spm", "pieces", b"\x06ab a\xd9\x88" + spm())
    seed("tokenizer", "unigram", tokenizer({"type": "Unigram", "unk_id": 0, "vocab": [["<pad>", 0.0], ["▁a", -1.0], ["b", -2.0]], "byte_fallback": False}))
    seed("tokenizer", "bpe", tokenizer({"type": "BPE", "vocab": {"<pad>": 0, "a": 1, "b": 2, "ab": 3}, "merges": [["a", "b"]], "unk_token": "<pad>", "byte_fallback": True}))
    seed("wheel", "deflated", zipped(zipfile.ZIP_DEFLATED))
    seed("wheel", "stored", zipped(zipfile.ZIP_STORED))
    for mode in ["w", "w:gz"]:
        seed("bundle", mode.replace(":", ""), bundled(mode))
    for path in sorted((ROOT / "models").glob("*.toml")):
        seed("manifest", path.stem, path.read_bytes()[:4096])
    record = {"name": "model.aren.bin", "fileType": "model", "sourceLanguage": "ar", "targetLanguage": "en", "architecture": "base-memory",
              "version": "1.0a1", "decompressedSize": "7", "attachment": {"location": "w/x", "hash": "0" * 64, "size": 5}}
    entry = {"architecture": "base-memory", "releaseStatus": "Release", "files": {"model": {"path": "a/m.gz"}, "lexicalShortlist": {"path": "a/l.gz"}}}
    seed("registries", "settings", json.dumps({"data": [record, record | {"fileType": "vocab"}]}))
    seed("registries", "registry", json.dumps({"baseUrl": "https://b.example/x", "models": {"ar-en": [entry]}}))
    lines = ['{"text":"One two.","id":"a","lang":"en","title":"T","date":"2024-07-22","n":[1,{"k":null}]}', '{"story":"خبر","key":"b"}', '{"body":7}', "{broken"]
    for number, line in enumerate(lines):
        seed("json_line", str(number), line)
    page = "<html lang=ar><head><title>T &amp; t</title><meta property='article:published_time' content='2024-07-22'></head><body><article><h1>H</h1><p>One<br>two</p><ol><li>x<li>y</ol></article><script>x</script>"
    plain = "date 2024-07-22 Shafaq News/ On Monday, 12.5% rose.\n\n  - one\n  2) two\n\n# Head #\n> quote\n```\ncode\n```\nTitle\n=====\nhttps://a.b/c {name} %s 🎉\n"
    arabic = "بغداد (رويترز) - قال الوزير: «نعم»، ثم غادر.\r\n١. أولا\r\n"
    seed("html", "page", page)
    for target, head in [("text", b""), ("header", b""), ("encoding", b""), ("segments", b"\x20"), ("pipeline", b"\x00"), ("pipeline", b"\x16")]:
        seed(target, f"plain{len(head) and head[0]}", head + plain.encode())
        seed(target, f"arabic{len(head) and head[0]}", head + arabic.encode())
    seed("encoding", "utf16", arabic.encode("utf-16"))
    seed("encoding", "old", arabic.replace("١", "1").encode("cp1256"))
    seed("encoding", "page", b"<meta charset=iso-8859-1>caf\xe9")
    for number, data in enumerate([plain, plain, page]):
        seed("article", str(number), bytes([number]) + data.encode())
    jsonl = "\n".join(lines + lines).encode()
    for number, data in enumerate([jsonl, gzip.compress(jsonl), b"", plain.encode(), plain.encode(), page.encode(), gzip.compress(plain.encode())]):
        seed("inputs", str(number), bytes([number]) + data)
    seed("inputs", "zst", bytes([2]) + b"\x28\xb5\x2f\xfd\x20\x0d\x69\x00\x00" + b'{"text":"ab"}')
    done = {"schema": "tarjama/1", "id": "a", "index": 0, "flags": ["retried"], "counts": {"segments": 1, "source_words": 2, "source_tokens": 3, "target_tokens": 4}, "error": None}
    for name in ["marian-one/model.safetensors", "marian/pytorch_model.bin", "ct2-marian-int8/model.bin", "bart/config.json"]:
        seed("checkpoint", name.replace("/", "-"), (ROOT / "tests/data/encdec" / name).read_bytes()[-16384:] if "pytorch" in name else (ROOT / "tests/data/encdec" / name).read_bytes()[:16384])
    failed = {"schema": "tarjama/1", "id": "b", "index": 1, "error": {"kind": "no_text", "message": "m"}}
    seed("journal", "two", "".join(json.dumps(r) + "\n" for r in [done, failed]) + '{"schema"')
    tally = {"done": 1, "failed": 1, "errors": {"no_text": 1}, "flags": {}, "source_words": 2}
    print_ = {"path": "in.jsonl", "files": 1, "bytes": 9, "digest": "00"}
    for shard in [None, {"index": 0, "count": 1}]:
        manifest = {"schema": "tarjama-run/1", "version": "0.1.0", "fingerprint": {"inputs": [print_], "options": {"to": "ar"}, "models": {"translation": "m@1"}},
                    "shard": shard, "articles": 0, "complete": True, "counts": tally, "kernels": ["avx2"], "started": "s", "updated": "u", "seconds": 1.5}
        seed("run_manifest", "shard" if shard else "whole", json.dumps(manifest))


main()
