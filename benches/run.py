#!/usr/bin/env python3
"""A whole `tarjama run` beside the bare engine on the same segments, and its memory by the number of articles.

  run.py articles --source NEWS.jsonl --count 10000 > articles.jsonl
  run.py kept --count 1000000 > kept.jsonl
  run.py overhead --tarjama BIN --articles articles.jsonl [--rounds 3] -- --from en --to pt --model DIR --threads 1
  run.py memory --tarjama BIN --articles kept.jsonl --counts 100000,500000,1000000 -- --from en --to ar

`articles` makes articles of the English sentences of NEWS.jsonl (`sentences[].en`), two a paragraph; where the source is
used up it begins again with every number one greater. `kept` makes short articles that are in Arabic already: all of a
run happens to them but for the model. `overhead` runs the articles, takes the segments that the model was asked for from
the records, and translates them with `translate --lines`, in turns; process start and loading are part of both, guards and
further attempts of the run alone. What follows `--` goes to both. `memory` runs the first N articles for each N and prints
the peak of the resident memory.
"""
import argparse, hashlib, itertools, json, os, re, statistics, subprocess, sys, tempfile, time


def articles(o):
    documents = [json.loads(line) for line in open(o.source, encoding="utf-8")]
    number, seen = re.compile(r"\d+"), set()
    for i in range(o.count):
        more, at = divmod(i, len(documents))
        sentences = [s["en"] for s in documents[at]["sentences"]]
        text = "\n\n".join(" ".join(sentences[s : s + 2]) for s in range(0, len(sentences), 2))
        if more:
            text = number.sub(lambda m: str(int(m[0]) + more), text)
        digest = hashlib.sha256(text.encode()).digest()[:8]
        if digest in seen:  # No number in it.
            text += f" This is copy {more}."
        seen.add(digest)
        print(json.dumps({"id": f"{documents[at]['id']}-{more}", "lang": "en", "text": text}, ensure_ascii=False))


def kept(o):
    for i in range(o.count):
        text = f"اجتمع الوزراء في بغداد يوم الاثنين لبحث ملف المياه رقم {i}.\\n\\nوقال المتحدث إن القرار سيصدر بعد {i % 89 + 2} يوما."
        print(f'{{"text":"{text}"}}')


def measured(command):
    """Wall and processor seconds of a process, and the peak of its memory in MiB."""
    start = time.perf_counter()
    with tempfile.TemporaryFile() as errors:
        child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=errors)
        _, status, used = os.wait4(child.pid, 0)
        wall = time.perf_counter() - start
        if os.waitstatus_to_exitcode(status):
            errors.seek(0)
            sys.exit(f"{command} failed:\n{errors.read().decode()[-2000:]}")
    return wall, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


def run_command(o, articles, output):
    return [o.tarjama, "run", articles, "-o", output, "--overwrite", "-q", "--summaries", o.summaries, *o.rest]


def overhead(o):
    with tempfile.TemporaryDirectory(dir=o.folder) as folder:
        output, lines = os.path.join(folder, "out.jsonl"), os.path.join(folder, "lines.txt")
        run = run_command(o, o.articles, output)
        bare = [o.tarjama, "translate", "--lines", *o.rest, lines]
        pairs = [[measured(run), None]]
        records, asked, words, retried = 0, 0, 0, 0
        with open(lines, "w", encoding="utf-8") as out:
            for line in open(output, encoding="utf-8"):
                records += 1
                for segment in json.loads(line)["translation"]["segments"]:
                    if segment["score"] is not None:
                        asked, words = asked + 1, words + len(segment["source"].split())
                        retried += bool(set(segment["flags"]) - {"wrapped"})
                        out.write(segment["source"] + "\n")
        print(f"{records} articles, {asked} segments, {words} words; {retried} segments with a flag", flush=True)
        pairs[0][1] = measured(bare)
        for i in range(1, o.rounds):
            first, second = (run, bare) if i % 2 == 0 else (bare, run)
            pair = [measured(first), measured(second)]
            pairs.append(pair if i % 2 == 0 else pair[::-1])
        print("| run s | bare s | ratio | run CPU s | bare CPU s | ratio |\n|---|---|---|---|---|---|")
        for a, b in pairs:
            print(f"| {a[0]:.1f} | {b[0]:.1f} | {a[0] / b[0]:.3f} | {a[1]:.1f} | {b[1]:.1f} | {a[1] / b[1]:.3f} |")
        of = lambda k: statistics.median(a[k] / b[k] for a, b in pairs)
        print(f"median ratio: {of(0):.3f} of time, {of(1):.3f} of processor time", flush=True)


def memory(o):
    print("| articles | peak MiB | s |\n|---|---|---|")
    with tempfile.TemporaryDirectory(dir=o.folder) as folder:
        for count in o.counts:
            part, output = os.path.join(folder, "in.jsonl"), os.path.join(folder, "out.jsonl")
            with open(o.articles, "rb") as source, open(part, "wb") as out:
                out.writelines(itertools.islice(source, count))
            wall, _, peak = measured(run_command(o, part, output))
            print(f"| {count:,} | {peak:.1f} | {wall:.0f} |", flush=True)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = p.add_subparsers(dest="command", required=True)
    for function in (articles, kept, overhead, memory):
        c = commands.add_parser(function.__name__)
        c.set_defaults(function=function)
        if function in (articles, kept):
            c.add_argument("--count", type=int, required=True)
            continue
        c.add_argument("--tarjama", default=os.environ.get("TARJAMA", "target/release/tarjama"))
        c.add_argument("--articles", required=True)
        c.add_argument("--summaries", default="none")
        c.add_argument("--folder", help="where outputs lie while they are measured")
        c.add_argument("rest", nargs="*")
    commands.choices["articles"].add_argument("--source", required=True)
    commands.choices["overhead"].add_argument("--rounds", type=int, default=3)
    counts = lambda text: [int(n) for n in text.split(",")]
    commands.choices["memory"].add_argument("--counts", type=counts, default=[100_000, 500_000, 1_000_000])
    o = p.parse_args()
    o.function(o)


if __name__ == "__main__":
    main()
