#!/usr/bin/env python3
"""tarjama beside other engines, on the same model, work and threads, in one run.

  peers.py bergamot    --tarjama BIN --bergamot SCRIPT --models DIR --direction enpt --lines FILE [--threads 1,2] [--rounds 5]
  peers.py ctranslate2 --tarjama BIN --checkpoint DIR [--beam 1,4] [--threads 1,2] [--rounds 5] [--tokens 32] [--isa auto,AVX512]
  peers.py llama       --tarjama BIN --gguf FILE --lines FILE --from en --to ar [--threads 1,2] [--rounds 3] [--tokens 32]

Machines are noisy: engines take turns (the one that goes first changes every round), and what counts is the median of
the ratios of a round, not the ratio of two bests. Settings (batch sizes, workers) are chosen before the rounds, for both
engines. Every table says how many outputs are equal. `bergamot` needs a script that reads lines, writes translations,
and puts {"seconds":..,"words_per_s":..} on stderr (with --alone: one line a call). `ctranslate2` needs the packages
ctranslate2 and sentencepiece with protobuf in the interpreter that runs this file, and a folder with hf/ (Hugging Face's
layout), ct2-int8/ and ct2-float32/ (the same weights, converted; id N is token "wN") and workload.json
({"ids":[[..]],"eos":N,"pad":N}). `llama` needs llama-cpp-python. A Markdown table goes to stdout.
"""
import argparse, concurrent.futures, importlib.metadata, json, multiprocessing, os, pathlib, platform, resource
import statistics, subprocess, sys, tempfile, time


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


def bench(o, threads, budgets, *more):
    """The line of `tarjama bench --json` of the fastest of these batch budgets."""
    command = [o.tarjama, "bench", "--threads", str(threads), "--batch-tokens", budgets, "--repeats", "1", "--json", *more]
    lines = [json.loads(l) for l in run(command).stdout.splitlines()]
    return min(lines, key=lambda l: l["seconds"])


def budget(o, threads, *more):
    """The batch budget for the rounds: one that is chosen anew in every round would have the luck of several tries."""
    return o.batch_tokens if o.batch_tokens.isdigit() else str(bench(o, threads, o.batch_tokens, *more)["batch_tokens"])


def table(head, rows, peer, unit):
    print(f"| {head} | tarjama {unit} | {peer} {unit} | ratio, median | ratios |\n|---" + "|---" * (head.count("|") + 4) + "|")
    for setting, pairs in rows.items():
        ratios = [a / b for a, b in pairs]
        mine, theirs = (statistics.median(x) for x in zip(*pairs))
        each = " ".join(f"{r:.2f}" for r in ratios)
        print(f"| {setting} | {mine:,.0f} | {theirs:,.0f} | {statistics.median(ratios):.2f} | {each} |")


def bergamot(o):
    lines = [l for l in pathlib.Path(o.lines).read_text().splitlines() if l.strip()][: o.limit]
    langs = o.direction[:2], o.direction[2:]
    ours = ["--model", os.path.join(o.models, o.direction), "--from", langs[0], "--to", langs[1]]
    peer = [o.bergamot, "--direction", o.direction, "--models", o.models]
    text = "\n".join(lines) + "\n"
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "lines.txt")
        pathlib.Path(path).write_text(text)
        chosen = {t: budget(o, t, "--lines", path, *ours) for t in o.threads}
        mine = lambda threads: bench(o, threads, chosen[threads], "--lines", path, *ours)["words_per_s"]
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
    table("threads", rows, "bergamot", "words/s")
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


def ct2_start(isa):
    """Begins a process: CTranslate2 reads this once, and vectorises with AVX512 only when told to."""
    if isa != "auto":
        os.environ["CT2_FORCE_CPU_ISA"] = isa


def ct2_decode(folder, precision, workers, threads, batch, beam, tokens, sources, loaded={}):
    """Targets of `tokens` tokens each, and the seconds that they took, loading left out."""
    import ctranslate2
    options = {"beam_size": beam, "min_decoding_length": tokens, "max_decoding_length": tokens}
    options |= {"batch_type": "tokens", "max_batch_size": batch}
    key = folder, precision, workers, threads
    if key not in loaded:
        loaded.clear()
        loaded[key] = ctranslate2.Translator(folder, compute_type=precision, inter_threads=workers, intra_threads=threads)
        loaded[key].translate_batch(sources[:16], **options)
    start = time.perf_counter()
    results = loaded[key].translate_batch(sources, **options)
    seconds = time.perf_counter() - start
    targets = [r.hypotheses[0] for r in results]
    assert all(len(t) == tokens for t in targets), "a target is not of the forced length"
    return targets, seconds


def readable(folder, out):
    """A folder in CTranslate2's layout for `tarjama translate`: its tokens as a sentencepiece model of whole words."""
    from sentencepiece import sentencepiece_model_pb2 as spm
    folder, out = pathlib.Path(folder).resolve(), pathlib.Path(out)
    tokens = json.loads((folder / "shared_vocabulary.json").read_text())
    named = ["\u2581" + t if t[0] == "w" else t for t in tokens]
    model = spm.ModelProto()
    model.trainer_spec.model_type = spm.TrainerSpec.UNIGRAM
    for token in ["<unk>", "<s>", "</s>"] + [t for t in named if t[0] == "\u2581"]:
        kind = {"<unk>": 2, "<s>": 3, "</s>": 3}.get(token, 1)
        model.pieces.add(piece=token, score=0, type=kind)
    out.mkdir()
    for name in ("source.spm", "target.spm"):
        (out / name).write_bytes(model.SerializeToString())
    (out / "shared_vocabulary.json").write_text(json.dumps(named))
    for name in ("config.json", "model.bin"):
        (out / name).symlink_to(folder / name)
    return tokens


def ct2_equal(o, engines, sources, beam):
    """How many targets are CTranslate2's, in int8 and in float32, both engines on CTranslate2's file and by its rules."""
    words = []
    for precision in ("int8", "float32"):
        with tempfile.TemporaryDirectory() as folder:
            theirs = os.path.join(o.checkpoint, f"ct2-{precision}")
            tokens = readable(theirs, os.path.join(folder, "model"))
            text = "".join(" ".join(source[:-1]) + "\n" for source in sources)
            forced = ["--min-new-tokens", str(o.tokens), "--max-new-tokens", str(o.tokens), "--beam", str(beam)]
            command = [o.tarjama, "translate", "--lines", "--json", "--from", "en", "--to", "ar", "--compute-type", precision]
            command += ["--model", os.path.join(folder, "model"), *forced, "-"]
            answers = [json.loads(l) for l in run(command, text).stdout.splitlines()]
        assert [[tokens[i] for i in a["source_ids"]] for a in answers] == sources, "other sources"
        ours = [[tokens[i] for i in a["hypotheses"][0]["ids"]] for a in answers]
        call = theirs, precision, 1, 1, 1024, beam, o.tokens, sources
        for isa, engine in engines.items():
            targets = engine.submit(ct2_decode, *call).result()[0]
            same = sum(a == b for a, b in zip(ours, targets, strict=True))
            places = [sum(x == y for x, y in zip(a, b)) for a, b in zip(ours, targets)]
            first = sum(a[0] == b[0] for a, b in zip(ours, targets))
            words.append(f"{precision}, {isa}: {same} of {len(ours)} targets, {first} first tokens, "
                         f"{100 * sum(places) / (len(ours) * o.tokens):.0f} % of all tokens")
    return words


def ctranslate2(o):
    workload = json.loads(pathlib.Path(o.checkpoint, "workload.json").read_text())
    ids, total = workload["ids"][: o.limit], o.tokens * len(workload["ids"][: o.limit])
    names = json.loads(pathlib.Path(o.checkpoint, "ct2-int8", "shared_vocabulary.json").read_text())
    sources = [[names[i] for i in row] for row in ids]
    spawn = multiprocessing.get_context("spawn")
    start = lambda isa: concurrent.futures.ProcessPoolExecutor(1, spawn, ct2_start, (isa,))
    engines, rows, choices, equal = {isa: start(isa) for isa in o.isa}, {}, [], []
    with tempfile.TemporaryDirectory() as folder:
        paths = {name: os.path.join(folder, f"{name}.json") for name in ("all", "half")}
        for name, part in (("all", ids), ("half", ids[::2])):
            pathlib.Path(paths[name]).write_text(json.dumps(workload | {"ids": part}))
        for beam in o.beam:
            for threads in o.threads:
                def decode(isa, workers, batch, part):
                    call = os.path.join(o.checkpoint, "ct2-int8"), "int8", workers, threads // workers, batch, beam, o.tokens, part
                    return engines[isa].submit(ct2_decode, *call).result()[1]

                fits = [n for n in range(threads, 0, -1) if threads % n == 0]
                tries = {(isa, workers, batch): decode(isa, workers, batch, sources[::2])
                         for isa in o.isa for workers in fits for batch in o.batches}
                best = min(tries, key=tries.get)
                work = ["--model", os.path.join(o.checkpoint, "hf"), "--from", "en", "--to", "ar", "--beam", str(beam)]
                work += ["--force-tokens", str(o.tokens), "--ids"]
                tokens = budget(o, threads, *work, paths["half"])

                def mine():
                    line = bench(o, threads, tokens, *work, paths["all"])
                    assert line["target_tokens"] == total, line
                    return line["tokens_per_s"]

                rows[f"{beam} | {threads}"] = rounds(o, mine, lambda: total / decode(*best, sources))
                speed = lambda isa: max(len(sources[::2]) * o.tokens / s for t, s in tries.items() if t[0] == isa)
                choices.append(f"beam {beam}, {threads} threads: {best[0]}, {best[1]} x {threads // best[1]}, batches of {best[2]}; "
                               f"tarjama {tokens}; tried on half: " + ", ".join(f"{isa} {speed(isa):,.0f}" for isa in o.isa))
            equal += [f"beam {beam}, {words}" for words in ct2_equal(o, engines, sources[: o.check], beam)] if o.check else []
    for engine in engines.values():
        engine.shutdown()
    print(f"{machine()}; CTranslate2 {importlib.metadata.version('ctranslate2')}; {len(ids)} sources, {sum(map(len, ids))} tokens; {o.tokens} target tokens each, "
          f"{o.rounds} rounds\n")
    table("beam | threads", rows, "CTranslate2", "tokens/s")
    print("\nSettings (vector code, workers x threads, source tokens a batch):\n\n- " + "\n- ".join(choices))
    print("\nEqual to CTranslate2's:\n\n- " + "\n- ".join(equal) if equal else "")


class Llama:
    """llama.cpp through its own C functions: several sequences in one batch, greedy, `tokens` each, no EOS."""

    def __init__(self, path, threads, sequences, room):
        import llama_cpp
        self.c = c = llama_cpp
        self.silent = c.llama_log_callback(lambda *_: None)
        c.llama_log_set(self.silent, None)
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
    forced = ["--min-new-tokens", str(o.tokens), "--max-new-tokens", str(o.tokens), "--beam", "1", "--no-repeat-ngram", "0"]
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

            work = ["--ids", path, "--force-tokens", str(o.tokens), *model, *langs]
            tokens = budget(o, threads, *work)

            def mine():
                line = bench(o, threads, tokens, *work)
                assert line["target_tokens"] == total, line
                return line["tokens_per_s"]

            rows[threads] = rounds(o, mine, theirs)
    ours = [a["hypotheses"][0]["ids"] for a in answers]
    same = sum(a == b for a, b in zip(ours, targets, strict=True))
    first = sum(a[0] == b[0] for a, b in zip(ours, targets))
    words = ", ".join(f"{s} sequences at {t} threads" for t, s in choice.items())
    print(f"{machine()}; llama-cpp-python {llama_cpp.__version__}, the fastest of {o.sequences}: {words}")
    print(f"{len(prompts)} prompts, {sum(map(len, prompts))} tokens; {o.tokens} target tokens each, greedy, {o.rounds} rounds\n")
    table("threads", rows, "llama.cpp", "tokens/s")
    print(f"\n{same} of {len(prompts)} targets are equal, {first} in their first token (both engines quantise activations, in other blocks).")


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = p.add_subparsers(dest="command", required=True)
    numbers = lambda text: [int(n) for n in text.split(",")]
    for function, rounds in ((bergamot, 5), (ctranslate2, 5), (llama, 3)):
        c = commands.add_parser(function.__name__)
        c.set_defaults(function=function)
        c.add_argument("--tarjama", default=os.environ.get("TARJAMA", "target/release/tarjama"))
        c.add_argument("--limit", type=int, help="lines or sources")
        c.add_argument("--threads", type=numbers, default=[1, 2])
        budgets = "1024,2048,4096" if function is ctranslate2 else "1024"
        c.add_argument("--batch-tokens", default=budgets, help="budgets of tarjama; the fastest is taken")
        c.add_argument("--rounds", type=int, default=rounds)
        if function is not ctranslate2:
            c.add_argument("--lines", required=True)
        if function is not bergamot:
            c.add_argument("--tokens", type=int, default=32, help="forced tokens of a target")
    c = commands.choices["bergamot"]
    c.add_argument("--bergamot", required=True, help="script of the peer")
    c.add_argument("--models", required=True, help="folder of Firefox models, one folder a direction")
    c.add_argument("--direction", default="enpt")
    c = commands.choices["ctranslate2"]
    c.add_argument("--checkpoint", required=True, help="folder with hf, ct2-int8, ct2-float32 and workload.json")
    c.add_argument("--beam", type=numbers, default=[1, 4])
    c.add_argument("--isa", type=lambda text: text.split(","), default=["auto", "AVX512"], help="CTranslate2's vector code")
    c.add_argument("--batches", type=numbers, default=[1024, 2048, 4096], help="source tokens of a batch of CTranslate2")
    c.add_argument("--check", type=int, default=64, help="sources whose targets are compared; 0 for none")
    c = commands.choices["llama"]
    c.add_argument("--gguf", required=True, help="the model as one file")
    c.add_argument("--model", help="tarjama's --model for the same weights, if it is not the embedded one")
    c.add_argument("--from", dest="source", default="en")
    c.add_argument("--to", dest="target", default="ar")
    c.add_argument("--sequences", type=numbers, default=[8, 16, 32, 64])
    o = p.parse_args()
    o.function(o)


if __name__ == "__main__":
    main()
