"""How many names of names.jsonl a translator spells acceptably.

Usage: names.py sources en-ar|ar-en            the sentences, one a line, to be translated
       names.py score en-ar|ar-en OUTPUT       OUTPUT: their translations, line by line

A name counts as acceptable where some run of as many words as it has (or one more or less) has its
consonant skeleton, give or take one letter in every five. The skeleton of a word: vowels (with w, y and
hamza), ta marbuta, the article and doubled letters are dropped, and letters that transliterations mix are
one class (plain and emphatic t, d, s, z; k and q; g, gh and j; f and v; b and p; both h). Names are compared
within one script: the output's with the reference's.
"""
import json
import pathlib
import re
import sys

ARABIC = {"ت": "T", "ط": "T", "ث": "T", "د": "D", "ض": "D", "ذ": "Z", "ظ": "Z", "ز": "Z", "س": "S", "ص": "S", "ش": "X", "چ": "X",
          "ك": "K", "ق": "K", "غ": "G", "ج": "G", "گ": "G", "خ": "C", "ف": "F", "ڤ": "F", "ب": "B", "پ": "B",
          "ل": "L", "م": "M", "ن": "N", "ر": "R", "ح": "H", "ه": "H"}
LATIN = {"sch": "X", "sh": "X", "ch": "X", "zh": "X", "th": "T", "dh": "Z", "kh": "C", "gh": "G", "ph": "F", "ts": "TS", "tz": "TS",
         "t": "T", "d": "D", "z": "Z", "s": "S", "k": "K", "q": "K", "c": "K", "x": "KS", "g": "G", "j": "G", "f": "F", "v": "F",
         "b": "B", "p": "B", "l": "L", "m": "M", "n": "N", "r": "R", "h": "H"}

def skeleton(text):
    if re.search("[\u0600-\u06ff]", text):
        words = [re.sub("^ال", "", w) for w in re.findall("[\u0621-\u06d3]+", text)]
        s = "".join(ARABIC.get(c, "") for w in words for c in w)
    else:
        text = re.sub(r"\b(al|el|an|as|ar|at|ad|az|ash)[- ]", "", text.lower())
        s = "".join(LATIN.get(m, "") for m in re.findall("sch|sh|ch|th|dh|kh|gh|ph|ts|tz|zh|.", text))
    return re.sub(r"(.)\1+", r"\1", s)


def distance(a, b):
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        before, row[0] = row[0], i
        for j, y in enumerate(b, 1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (x != y))
    return row[-1]


def acceptable(name, output):
    want, words = skeleton(name), output.split()
    n = len(name.split())
    spans = [" ".join(words[i:i + k]) for k in {max(1, n - 1), n, n + 1} for i in range(len(words) - k + 1)]
    # A word may carry one joined letter: "and", "in", "to", "as".
    forms = [f for s in spans for f in (s, re.sub("^[وبلفك](?=..)", "", s), re.sub("^(ول|لل|وب)", "", s))]
    return any(distance(want, skeleton(f)) <= len(want) // 5 for f in forms)


def main():
    rows = [json.loads(l) for l in open(pathlib.Path(__file__).parent / "names.jsonl", encoding="utf-8")]
    source, target = sys.argv[2].split("-")
    if sys.argv[1] == "sources":
        print("\n".join(r[source] for r in rows))
        return
    outputs = open(sys.argv[3], encoding="utf-8").read().splitlines()
    assert len(outputs) == len(rows), f"{len(outputs)} lines for {len(rows)} sentences"
    for kind in ("person", "place"):
        hit = [acceptable(r[f"name_{target}"], out) for r, out in zip(rows, outputs) if r["kind"] == kind]
        print(f"{kind}: {sum(hit)} of {len(hit)}")
    hit = [acceptable(r[f"name_{target}"], out) for r, out in zip(rows, outputs)]
    print(f"all: {sum(hit)} of {len(hit)}, {100 * sum(hit) / len(hit):.1f} %")
    for r, out, ok in zip(rows, outputs, hit):
        if not ok:
            print(f"  {r[f'name_{target}']} | {out}")


if __name__ == "__main__":
    main()
