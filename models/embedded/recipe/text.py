"""Training text: the one form that the model sees, prompts, and readers of the text files."""
import json
import re

PROMPTS = {"en-ar": ("English: ", "\nArabic:"), "ar-en": ("Arabic: ", "\nEnglish:")}
BOS, EOS = 2, 1
MARKS = re.compile("[\u064b-\u0652\u0670\u0640\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff]")
PLAIN = str.maketrans({"\u201c": '"', "\u201d": '"', "\u00ab": '"', "\u00bb": '"', "\u2018": "'", "\u2019": "'",
                       "\u2026": "...", "\u00a0": " ", "\u066b": ".", "\u066c": ",", "\u066a": "%",
                       **{chr(0x660 + i): str(i) for i in range(10)}})


def clean(s):
    """No vowel marks, tatweel or direction marks; plain quotes, Western digits, single spaces."""
    return " ".join(MARKS.sub("", s.translate(PLAIN)).split())


def prompt(tok, source, direction):
    a, b = PROMPTS[direction]
    return [BOS] + tok.encode(a + source + b, add_special_tokens=False).ids


def example(tok, pair, direction):
    """(prompt ids, target ids with EOS) of a pair (English, Arabic)."""
    en, ar = map(clean, pair)
    s, t = (en, ar) if direction == "en-ar" else (ar, en)
    return prompt(tok, s, direction), tok.encode(" " + t, add_special_tokens=False).ids + [EOS]


def pairs(path):
    """(id, English, Arabic) of a file: flat {"id", "en", "ar"} lines, or articles, whose titles, summaries and sentences are pairs."""
    out = []
    for x in map(json.loads, open(path, encoding="utf-8")):
        if "sentences" not in x:
            out.append((str(x.get("id", "")), x["en"], x["ar"]))
            continue
        both = [(x.get(f"{k}_en"), x.get(f"{k}_ar")) for k in ("title", "summary")]
        both += [(s["en"], s["ar"]) for s in x["sentences"]]
        out += [(x["id"], e, r) for e, r in both if e and r]
    return out
