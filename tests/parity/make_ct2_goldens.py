"""Converts the checkpoints that make_goldens.py made with CTranslate2's converter, and says what CTranslate2 makes of them.

  python make_ct2_goldens.py --goldens DIR --out DIR [--family NAME --quantization Q]...

OUT/FAMILY-QUANTIZATION holds what the converter writes, the files of the tokeniser, and a golden.json as make_goldens.py
writes it, of the same texts and source ids. Everything is computed in float32 (int8 and float16 files are widened), one
text at a time; scores are CTranslate2's own: with its length penalty of 1, the mean over `ids`, EOS included.
"""
import argparse, json, pathlib, shutil

import ctranslate2
from ctranslate2.converters import TransformersConverter

FILES = ("source.spm", "target.spm", "sentencepiece.bpe.model", "spiece.model", "tokenizer.json", "vocab.json", "merges.txt",
         "tokenizer_config.json")
DEFAULT = [("marian", "int8"), ("marian-one", "float32"), ("m2m100", "float32"), ("nllb", "float16"),
           ("bart", "float32"), ("t5", "float32"), ("mt5", "int8")]
LIMIT = 24


def convert(source, out, quantization):
    shutil.rmtree(out, ignore_errors=True)
    TransformersConverter(str(source)).convert(str(out), quantization=quantization, force=True)
    for name in FILES:
        if (source / name).exists() and not (out / name).exists():
            shutil.copy(source / name, out / name)


def vocabulary(out, side):
    for name in (f"{side}_vocabulary.json", "shared_vocabulary.json"):
        if (out / name).exists():
            return json.loads((out / name).read_text())


def golden(source, out):
    made = json.loads((source / "golden.json").read_text())
    src, tgt = vocabulary(out, "source"), vocabulary(out, "target")
    config = json.loads((out / "config.json").read_text())
    eos = tgt.index(config["eos_token"])
    translator = ctranslate2.Translator(str(out), device="cpu", compute_type="float32", inter_threads=1, intra_threads=1)
    tasks = json.loads((source / "config.json").read_text()).get("task_specific_params") or {}
    task = tasks.get("translation_en_to_ar", {}).get("prefix", "")
    prefix = None
    if source.name in ("m2m100", "nllb", "mbart50"):  # the target language is forced
        prefix = [[tgt[made["cases"][0]["greedy"]["ids"][0]]]]
    cases = []
    for case in made["cases"]:
        ids = case["source_ids"]
        if max(ids) >= len(src):
            continue
        # What CTranslate2 keeps of a model says nothing of a task's prefix: it is the user's to write.
        new = {"text": task + case["text"], "source_ids": ids}
        for name, beam in (("greedy", 1), ("beam4", 4)):
            r = translator.translate_batch([[src[i] for i in ids]], beam_size=beam, max_decoding_length=LIMIT,
                                           return_scores=True, target_prefix=prefix)[0]
            if any(tgt.count(t) > 1 for t in r.hypotheses[0]):
                break  # a sentinel that the vocabulary has twice names no id
            got, score = [tgt.index(t) for t in r.hypotheses[0]], r.scores[0]
            if len(got) < LIMIT:
                got.append(eos)
            new[name] = {"ids": got, "score": score}
        else:
            cases.append(new)
    head = {"family": f"ctranslate2 {source.name}", "ctranslate2": ctranslate2.__version__, "seed": made["seed"],
            "flags": made["flags"] + ["--max-new-tokens", str(LIMIT)]}
    lines = ",\n".join(json.dumps(c, ensure_ascii=False, separators=(",", ":")) for c in cases)
    head = json.dumps(head, separators=(",", ":"))[:-1]
    (out / "golden.json").write_text(f'{head},"cases":[\n{lines}\n]}}\n')
    print(f"{out.name}: {len(cases)} cases, lengths {sorted(len(c['greedy']['ids']) for c in cases)}")


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--goldens", type=pathlib.Path, required=True)
    ap.add_argument("--out", type=pathlib.Path, required=True)
    ap.add_argument("--family", action="append")
    ap.add_argument("--quantization", action="append")
    a = ap.parse_args()
    pairs = list(zip(a.family, a.quantization)) if a.family else DEFAULT
    for family, quantization in pairs:
        out = a.out / f"{family}-{quantization}"
        convert(a.goldens / family, out, quantization)
        golden(a.goldens / family, out)


if __name__ == "__main__":
    main()
