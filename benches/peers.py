#!/usr/bin/env python3
"""tarjama beside other engines, on the same model, work and threads, in one run.

  peers.py bergamot --tarjama BIN --bergamot SCRIPT --models DIR --direction enpt --lines FILE [--threads 1,2] [--rounds 5]
  peers.py llama    --tarjama BIN --gguf FILE --lines FILE --from en --to ar [--threads 1,2] [--rounds 3] [--tokens 32]

Machines are noisy: engines take turns (the one that goes first changes every round), and what counts is the median of
the ratios of a round, not the ratio of two bests. Every table says how many outputs are equal. `bergamot` needs a script
that reads lines, writes translations, and puts {"seconds":..,"words_per_s":..} on stderr (with --alone: one line a call).
`llama` needs the Python package llama-cpp-python in the interpreter that runs this file. A Markdown table goes to stdout.
"""
import argparse, json, os, pathlib, platform, resource, statistics, subprocess, sys, tempfile, time


def machine():
    """One line on what this runs on."""
    name = platform.processor() or platform.machine()
    try:
        lines = pathlib.Path("/proc/cpuinfo").read_text().splitlines()
        name = next(l.split(":", 1)[1].strip() for l in lines if l.startswith("model name"))
    except (OSError, StopIteration):
        pass
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    load = " ".join(f"{x:.1f}" for x in os.getloadavg())
    return f"{name}, {cores} cores allowed, load average {load}"


def run(command, text=None, env=None):
    done = subprocess.run(command, input=text, capture_output=True, text=True, env=env)
    if done.returncode:
        sys.exit(f"{command[0]} ended with {done.returncode}:\n{done.stderr[-2000:]}")
    return done


def cpu(command, text=None):
    """Processor seconds of a whole process: other programs on the machine change them little."""
    used = lambda: sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2])
    before = used()
    run(command, text)
    return used() - before


def settings(o, threads, *more):
    """Lines of `tarjama bench --json`, one for each batch budget; the fastest counts, as it does for peers."""
    command = [o.tarjama, "bench", "--threads", str(threads), "--batch-tokens", o.batch_tokens, "--repeats", "1", "--json", *more]
    lines = [json.loads(l) for l in run(command).stdout.splitlines()]
    return min(lines, key=lambda l: l["seconds"])


def table(rows, ours, peer, unit):
    print(f"| threads | tarjama {unit} | {peer} {unit} | ratio, median | ratios |\n|---|---|---|---|---|")
    for threads, pairs in rows.items():
        ratios = [a / b for a, b in pairs]
        mine, theirs = (statistics.median(x) for x in zip(*pairs))
        each = " ".join(f"{r:.2f}" for r in ratios)
        print(f"| {threads} | {mine:,.0f} | {theirs:,.0f} | {statistics.median(ratios):.2f} | {each} |")


def bergamot(o):
    lines = [l for l in pathlib.Path(o.lines).read_text().splitlines() if l.strip()][: o.limit]
    langs = o.direction[:2], o.direction[2:]
    ours = ["--model", os.path.join(o.models, o.direction), "--from", langs[0], "--to", langs[1]]
    peer = [o.bergamot, "--direction", o.direction, "--models", o.models]
    text = "\n".join(lines) + "\n"
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "lines.txt")
        pathlib.Path(path).write_text(text)
        mine = lambda threads: settings(o, threads, "--lines", path, *ours)["words_per_s"]
        last = lambda done: json.loads(done.stderr.strip().splitlines()[-1])
        theirs = lambda threads: last(run(peer + ["--threads", str(threads)], text))["words_per_s"]
        rows = {t: rounds(o, lambda t=t: mine(t), lambda t=t: theirs(t)) for t in o.threads}
        whole = [o.tarjama, "translate", "--lines", "--threads", "1", *ours, path]
        work = rounds(o, lambda: cpu(whole), lambda: cpu(peer + ["--threads", "1"], text), "{:.2f}")
        a = run(whole).stdout.splitlines()
    b = run(peer + ["--threads", "1", "--alone"], text).stdout.splitlines()
    same = sum(x == y for x, y in zip(a, b, strict=True))
    words = sum(len(l.split()) for l in lines)
    print(f"{machine()}; {len(lines)} lines, {words} words, {o.direction}, {o.rounds} rounds\n")
    table(rows, "tarjama", "bergamot", "words/s")
    mine, theirs = (statistics.median(x) for x in zip(*work))
    print(f"\nProcessor seconds of the whole process, one thread, loading included: tarjama {mine:.2f}, bergamot {theirs:.2f}; "
          f"median ratio {statistics.median(b / a for a, b in work):.2f}.")
    print(f"\n{same} of {len(lines)} lines ({100 * same / len(lines):.2f} %) equal bergamot's, translated one line a call.")


def rounds(o, ours, theirs, form="{:.0f}"):
    pairs = []
    for i in range(o.rounds):
        if i % 2:
            b = theirs()
            pairs.append((ours(), b))
        else:
            a = ours()
            pairs.append((a, theirs()))
        print("  tarjama", form.format(pairs[-1][0]), "peer", form.format(pairs[-1][1]), file=sys.stderr)
    return pairs


class Llama:
    """llama.cpp through its own C functions: several sequences in one batch, greedy, `tokens` each, no EOS."""

    def __init__(self, path, threads, sequences, room):
        import llama_cpp
        self.c = c = llama_cpp
        c.llama_backend_init()
        p = c.llama_model_default_params()
        p.n_gpu_layers = 0
        load = getattr(c, "llama_model_load_from_file", None) or c.llama_load_model_from_file
        self.model = load(path.encode(), p)
        p = c.llama_context_default_params()
        p.n_ctx, p.n_batch, p.n_ubatch, p.n_seq_max = sequences * room, 2048, 512, sequences
        p.n_threads = p.n_threads_batch = threads
        new = getattr(c, "llama_init_from_model", None) or c.llama_new_context_with_model
        self.context = new(self.model, p)
        if not self.context:
            sys.exit("llama.cpp gives no context")
        self.vocab = c.llama_model_get_vocab(self.model)
        self.size, self.eos = c.llama_vocab_n_tokens(self.vocab), c.llama_vocab_eos(self.vocab)
        self.sequences = sequences
        self.batch = c.llama_batch_init(2048, 0, 1)

    def feed(self, items):
        """items: (token, position, sequence, wants logits); gives the batch's best ids where they are wanted."""
        import numpy
        b, wanted = self.batch, []
        for i, (token, position, sequence, last) in enumerate(items):
            b.token[i], b.pos[i], b.n_seq_id[i], b.logits[i] = token, position, 1, last
            b.seq_id[i][0] = sequence
            if last:
                wanted.append((i, sequence))
        b.n_tokens = len(items)
        if self.c.llama_decode(self.context, b):
            sys.exit("llama.cpp does not decode")
        best = {}
        for i, sequence in wanted:
            row = numpy.ctypeslib.as_array(self.c.llama_get_logits_ith(self.context, i), shape=(self.size,))
            row[self.eos] = -numpy.inf
            best[sequence] = int(row.argmax())
        return best

    def forget(self):
        memory = getattr(self.c, "llama_get_memory", None)
        if memory:
            self.c.llama_memory_clear(memory(self.context), True)
        else:
            self.c.llama_kv_self_clear(self.context)

    def decode(self, prompts, tokens):
        """Targets of all prompts, and the seconds that they took."""
        targets, start = {}, time.perf_counter()
        order = sorted(range(len(prompts)), key=lambda i: -len(prompts[i]))
        for at in range(0, len(order), self.sequences):
            group = order[at : at + self.sequences]
            self.forget()
            items = [(t, p, s, p + 1 == len(prompts[i])) for s, i in enumerate(group) for p, t in enumerate(prompts[i])]
            best = {}
            for cut in range(0, len(items), 2048):
                best |= self.feed(items[cut : cut + 2048])
            out = [[best[s]] for s in range(len(group))]
            for step in range(tokens - 1):
                best = self.feed([(out[s][-1], len(prompts[i]) + step, s, True) for s, i in enumerate(group)])
                for s in range(len(group)):
                    out[s].append(best[s])
            targets |= dict(zip(group, out))
        return [targets[i] for i in range(len(prompts))], time.perf_counter() - start


def llama(o):
    import llama_cpp
    lines = [l for l in pathlib.Path(o.lines).read_text().splitlines() if l.strip()][: o.limit]
    text, langs = "\n".join(lines) + "\n", ["--from", o.source, "--to", o.target]
    model = ["--model", o.model] if o.model else []
    forced = ["--min-new-tokens", str(o.tokens), "--max-new-tokens", str(o.tokens), "--beam", "1"]
    out = run([o.tarjama, "translate", "--lines", "--json", *langs, *model, *forced, "-"], text).stdout
    answers = [json.loads(l) for l in out.splitlines()]
    prompts = [a["source_ids"] for a in answers]
    room = max(map(len, prompts)) + o.tokens
    total = len(prompts) * o.tokens
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "workload.json")
        pathlib.Path(path).write_text(json.dumps({"ids": prompts, "eos": 1, "pad": 0}))
        rows, choice, targets = {}, {}, None
        for threads in o.threads:
            tries = []
            for sequences in o.sequences:
                engine = Llama(o.gguf, threads, sequences, room)
                engine.decode(prompts[:2], 2)
                got, seconds = engine.decode(prompts[: max(sequences, len(prompts) // 4)], o.tokens)
                tries.append((seconds / len(got), sequences, engine))
                print(f"  {threads} threads, {sequences} sequences: {len(got) * o.tokens / seconds:.0f} tokens/s", file=sys.stderr)
            _, choice[threads], engine = min(tries, key=lambda t: t[:2])

            def theirs():
                nonlocal targets
                targets, seconds = engine.decode(prompts, o.tokens)
                return total / seconds

            def mine():
                line = settings(o, threads, "--ids", path, "--force-tokens", str(o.tokens), *model, *langs)
                assert line["target_tokens"] == total, line
                return line["tokens_per_s"]

            rows[threads] = rounds(o, mine, theirs)
    ours = [a["hypotheses"][0]["ids"] for a in answers]
    same = sum(a == b for a, b in zip(ours, targets, strict=True))
    first = sum(a[0] == b[0] for a, b in zip(ours, targets))
    words = ", ".join(f"{s} sequences at {t} threads" for t, s in choice.items())
    print(f"{machine()}; llama-cpp-python {llama_cpp.__version__}, the fastest of {o.sequences}: {words}")
    print(f"{len(prompts)} prompts, {sum(map(len, prompts))} tokens; {o.tokens} target tokens each, greedy, {o.rounds} rounds\n")
    table(rows, "tarjama", "llama.cpp", "tokens/s")
    print(f"\n{same} of {len(prompts)} targets are equal, {first} in their first token (both engines quantise activations, in other blocks).")


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = p.add_subparsers(dest="command", required=True)
    numbers = lambda text: [int(n) for n in text.split(",")]
    for name, function in (("bergamot", bergamot), ("llama", llama)):
        c = commands.add_parser(name)
        c.set_defaults(function=function)
        c.add_argument("--tarjama", default=os.environ.get("TARJAMA", "target/release/tarjama"))
        c.add_argument("--lines", required=True)
        c.add_argument("--limit", type=int)
        c.add_argument("--threads", type=numbers, default=[1, 2])
        c.add_argument("--batch-tokens", default="1024", help="budgets of tarjama; the fastest counts")
        c.add_argument("--rounds", type=int, default=5 if name == "bergamot" else 3)
    c.add_argument("--gguf", required=True, help="llama: the model as one file")
    c.add_argument("--model", help="llama: tarjama's --model for the same weights, if it is not the embedded one")
    c.add_argument("--from", dest="source", default="en")
    c.add_argument("--to", dest="target", default="ar")
    c.add_argument("--tokens", type=int, default=32)
    c.add_argument("--sequences", type=numbers, default=[8, 16, 32, 64])
    c = commands.choices["bergamot"]
    c.add_argument("--bergamot", required=True, help="script of the peer")
    c.add_argument("--models", required=True, help="folder of Firefox models, one folder a direction")
    c.add_argument("--direction", default="enpt")
    o = p.parse_args()
    o.function(o)


if __name__ == "__main__":
    main()
