"""Makes random-weight translation models in the exact layout of Firefox's files.

    make_model.py --size tiny|base-memory --seed N --out DIR [--shared-weights] [--two-vocabularies] CORPUS..

Writes DIR/enar and DIR/aren, each with model.*.intgemm.alphas.bin, vocab.*.spm (srcvocab.*.spm and
trgvocab.*.spm with --two-vocabularies) and lex.50.50.*.s2t.bin. A CORPUS is a JSON-lines file of
objects with "en" and "ar", or with "sentences" that is a list of such objects; the vocabulary is
trained on it and the activations are calibrated on it. The same arguments give the same files.

The weights are random, but the model behaves as a trained one does where arithmetic is concerned:
weights and activations use the whole 8-bit range, activations are clipped as often as Marian's own
calibration lets them be, attention is peaked, outputs depend on inputs, and sentences end.
"""

import argparse
import contextlib
import io
import json
import pathlib
import re
import shutil

import numpy
import sentencepiece

import marian_file
from network import Network

SIZES = {
    "tiny": {"dim": 64, "ffn": 64, "vocabulary": 576, "best": 4, "lines": 4000},
    "base-memory": {"dim": 384, "ffn": 1536, "vocabulary": 32000, "best": 50, "lines": 10**9},
}
HEADS, ENCODER_LAYERS, DECODER_LAYERS = 8, 6, 4
FREQUENT = 50
# Marian's calibration: an activation's range is the mean of its largest values and so many deviations.
DEVIATIONS = 1.1
# What Firefox's training puts into a vocabulary besides text.
SYMBOLS = "__source__,__target__,__done__,__start__,__end__"
LATIN, ARABIC = re.compile("[A-Za-z]"), re.compile("[\u0600-\u06ff]")

CONFIG = """bert-train-type-embeddings: true
bert-type-vocab-size: 2
dec-cell: ssru
dec-cell-base-depth: 2
dec-cell-high-depth: 1
dec-depth: {decoder}
dim-emb: {dim}
dim-rnn: 1024
dim-vocabs:
  - {source}
  - {target}
enc-cell: gru
enc-cell-depth: 1
enc-depth: {encoder}
enc-type: bidirectional
input-types: []
layer-normalization: false
lemma-dim-emb: 0
lemma-dependency: ""
output-omit-bias: false
right-left: false
skip: false
tied-embeddings: {apart}
tied-embeddings-all: {together}
tied-embeddings-src: false
transformer-aan-activation: swish
transformer-aan-depth: 2
transformer-aan-nogate: false
transformer-decoder-autoreg: rnn
transformer-decoder-dim-ffn: 0
transformer-decoder-ffn-depth: 0
transformer-depth-scaling: false
transformer-dim-aan: 2048
transformer-dim-ffn: {ffn}
transformer-ffn-activation: relu
transformer-ffn-depth: 2
transformer-guided-alignment-layer: last
transformer-heads: {heads}
transformer-no-projection: false
transformer-pool: false
transformer-postprocess: dan
transformer-postprocess-emb: d
transformer-postprocess-top: ""
transformer-preprocess: ""
transformer-rnn-projection: false
transformer-tied-layers:
  []
transformer-train-position-embeddings: false
type: transformer
ulr: false
ulr-dim-emb: 0
ulr-trainable-transformation: false
version: v1.12.14 2d067afb 2024-02-16 11:44:13 -0500
"""


def read_pairs(paths):
    """The sentence pairs of corpora, in order."""
    pairs = []
    for path in paths:
        with open(path, encoding="utf-8") as file:
            for line in file:
                row = json.loads(line)
                for pair in row.get("sentences", [row]):
                    if isinstance(pair.get("en"), str) and isinstance(pair.get("ar"), str):
                        pairs.append((pair["en"], pair["ar"]))
    return pairs


def train_vocabulary(lines, size, small):
    """A sentencepiece model's bytes, trained as Firefox's are."""
    options = {"normalization_rule_name": "nmt_nfkc"}
    if small:
        # The full table of NFKC is 240 kB; a small model has a few of its rules.
        rules = pathlib.Path("rules.tsv")
        kept = [("\u00a0", " "), ("\t", " "), ("\u3000", " "), ("\u200b", ""), ("\u00ad", ""), ("\u2026", "...")]
        kept += [(chr(0xFF10 + digit), str(digit)) for digit in range(10)]
        kept += [("\ufefb", "\u0644\u0627"), ("\ufef7", "\u0644\u0623"), ("\ufb01", "fi")]
        hexes = lambda text: " ".join(f"{ord(c):X}" for c in text)
        rules.write_text("".join(f"{hexes(a)}\t{hexes(b)}\n" for a, b in kept))
        # Its path is written into the model, and so must not depend on where this runs.
        options = {"normalization_rule_tsv": str(rules)}
    out = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(lines),
        model_writer=out,
        vocab_size=size,
        bos_id=-1,
        eos_id=0,
        unk_id=1,
        user_defined_symbols=SYMBOLS,
        byte_fallback=True,
        character_coverage=0.999 if small else 1.0,
        num_threads=1,
        minloglevel=2,
        **options,
    )
    return out.getvalue()


def words_by_script(vocabulary):
    """Ids of a vocabulary by what they are written in."""
    scripts = {"latin": [], "arabic": [], "other": []}
    for word in range(2 + len(SYMBOLS.split(",")), vocabulary.get_piece_size()):
        if vocabulary.is_byte(word):
            continue
        piece = vocabulary.id_to_piece(word)
        kind = "latin" if LATIN.search(piece) else "arabic" if ARABIC.search(piece) else "other"
        scripts[kind].append(word)
    return scripts


def make_lexicon(rng, source, target, script, best):
    """Target words by source word: mostly of the target's script, some of none, and frequent ones oftener."""
    scripts = words_by_script(target)
    pool = numpy.array(scripts[script] + scripts["other"])
    shares = 1.0 / (numpy.arange(len(pool)) + 50.0)
    shares[len(scripts[script]) :] *= 0.2
    shares /= shares.sum()
    rows = [[]]
    for word in range(1, source.get_piece_size()):
        count = best if word < 1000 else int(rng.integers(best // 3, best + 1))
        count = min(count, len(pool))
        rows.append(sorted({int(w) for w in rng.choice(pool, count, p=shares)}))
    return rows


def set_biases(rng, vocabulary, bias):
    """Biases of the output as in training: what no target text has hardly ever comes out."""
    bias[:] = rng.normal(0.0, 1.0, len(bias))
    for word in range(vocabulary.get_piece_size()):
        if word <= 1 or vocabulary.is_control(word) or vocabulary.id_to_piece(word) in SYMBOLS.split(","):
            bias[word] = -40.0
        elif vocabulary.id_to_piece(word) == "\u2581":
            # bergamot 0.4.5 aborts where a translation is nothing but this.
            bias[word] = -40.0
        elif vocabulary.is_byte(word):
            byte = int(vocabulary.id_to_piece(word)[3:5], 16)
            bias[word] = -40.0 if byte < 0x20 else -4.0


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--size", choices=SIZES, required=True)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--shared-weights", action="store_true", help="both directions have the same weights")
    parser.add_argument("--two-vocabularies", action="store_true", help="source and target have each their own")
    parser.add_argument("--depth", type=int, nargs=2, default=[ENCODER_LAYERS, DECODER_LAYERS], metavar=("ENCODER", "DECODER"))
    parser.add_argument("--calibrate", type=int, default=24, help="lines to calibrate on, of each language")
    parser.add_argument("corpus", nargs="+")
    args = parser.parse_args()
    size = SIZES[args.size]
    pairs = read_pairs(args.corpus)
    chosen = pairs[:: max(1, len(pairs) // size["lines"])]
    args.out.mkdir(parents=True, exist_ok=True)
    sides = {"en": [en for en, _ in chosen], "ar": [ar for _, ar in chosen]}
    small = args.size == "tiny"

    def train(lines):
        with contextlib.chdir(args.out):
            return train_vocabulary(lines, size["vocabulary"], small)

    if args.two_vocabularies:
        files = {lang: train(lines) for lang, lines in sides.items()}
    else:
        files = dict.fromkeys(sides, train(sides["en"] + sides["ar"]))
    (args.out / "rules.tsv").unlink(missing_ok=True)
    vocabularies = {lang: sentencepiece.SentencePieceProcessor(model_proto=data) for lang, data in files.items()}

    weights = None
    for number, (source, target, script) in enumerate([("en", "ar", "arabic"), ("ar", "en", "latin")]):
        pair = source + target
        folder = args.out / pair
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        rng = numpy.random.default_rng([args.seed, number])
        vocabulary = [vocabularies[source], vocabularies[target]]
        lexicon = make_lexicon(rng, *vocabulary, script, size["best"])
        marian_file.write_lexicon(folder / f"lex.50.50.{pair}.s2t.bin", lexicon, FREQUENT, size["best"])
        if args.two_vocabularies:
            (folder / f"srcvocab.{pair}.spm").write_bytes(files[source])
            (folder / f"trgvocab.{pair}.spm").write_bytes(files[target])
        else:
            (folder / f"vocab.{pair}.spm").write_bytes(files[source])
        step = max(1, len(pairs) // args.calibrate)
        langs = ["en", "ar"] if args.shared_weights else [source]
        samples = [vocabulary[0].encode(p[lang == "ar"]) + [0] for lang in langs for p in pairs[step // 2 :: step]]
        if weights is None or not args.shared_weights:
            network = Network(
                rng,
                dim=size["dim"],
                ffn=size["ffn"],
                heads=HEADS,
                encoder=args.depth[0],
                decoder=args.depth[1],
                vocabularies=[v.get_piece_size() for v in vocabulary],
                tied=not args.two_vocabularies,
            )
            set_biases(rng, vocabulary[1], network.floats["decoder_ff_logit_out_b"])
            network.calibrate(samples, lexicon, FREQUENT, DEVIATIONS)
            config = CONFIG.format(
                dim=size["dim"],
                ffn=size["ffn"],
                heads=HEADS,
                encoder=args.depth[0],
                decoder=args.depth[1],
                source=vocabulary[0].get_piece_size(),
                target=vocabulary[1].get_piece_size(),
                together="false" if args.two_vocabularies else "true",
                apart="true" if args.two_vocabularies else "false",
            )
            weights = marian_file.model_bytes(network, config)
        (folder / f"model.{pair}.intgemm.alphas.bin").write_bytes(weights)
        for path in sorted(folder.iterdir()):
            print(path, path.stat().st_size)


if __name__ == "__main__":
    main()
