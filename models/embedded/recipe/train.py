"""Fine-tunes the embedded model on English-Arabic pairs, both directions, loss on the target alone.

Usage: train.py --tokenizer tokenizer.json --init WEIGHTS.pt --data MIX.jsonl --out DIR --total TOKENS
                [--lr 1e-4] [--decay 1] [--round 0.2] [--valid NAME=FILE.jsonl ...]

bf16 weights and gradients, f32 master weights, AdamW. The rate warms up over 30 steps, stays, and falls
linearly to nothing over the last `--decay` of the tokens (0: a stage that another one follows). Over the
last `--round` of the tokens the forward pass sees the matrices as the shipped file will give them back
(straight-through gradients), so that the weights learn to live with their rounding.

The run depends on its arguments and the text alone, not on the clock. Its state is written to DIR/state.pt
every ten minutes and on SIGTERM; the same command goes on from there. DIR/log.jsonl is the curve.
"""
import argparse
import json
import os
import random
import signal
import time

import torch
from tokenizers import Tokenizer

from blocks import Rounded
from gemma import Gemma, Trainee
from text import PROMPTS, example, pairs

MAXLEN = 256  # prompt and target together: the length that the engine splits segments for


def examples(tok, rows):
    both = [example(tok, (e, a), d) for _, e, a in rows for d in PROMPTS]
    return [x for x in both if len(x[0]) + len(x[1]) <= MAXLEN]


def batches(ex, budget, rng):
    """Batches of alike lengths with at most `budget` positions, padding included, in random order."""
    ex = sorted(ex, key=lambda e: len(e[0]) + len(e[1]) + rng.random() * 8)
    out, cur, longest = [], [], 0
    for e in ex:
        n = len(e[0]) + len(e[1])
        if cur and max(longest, n) * (len(cur) + 1) > budget:
            out.append(cur)
            cur, longest = [], 0
        cur.append(e)
        longest = max(longest, n)
    out += [cur] if cur else []
    rng.shuffle(out)
    return out


def stream(ex, budget, seed):
    """Endless batches: epochs in random order, cut into pools of 4,096 examples that batches are made of."""
    epoch = 0
    while True:
        rng = random.Random(f"{seed}/{epoch}")
        order = ex[:]
        rng.shuffle(order)
        for i in range(0, len(order), 4096):
            for b in batches(order[i:i + 4096], budget, rng):
                yield epoch, b
        epoch += 1


def collate(b, dev):
    T = max(len(p) + len(t) for p, t in b) - 1
    ids, lab = torch.zeros(len(b), T, dtype=torch.long), torch.full((len(b), T), -100)
    for i, (p, t) in enumerate(b):
        s = p + t
        ids[i, :len(s) - 1] = torch.tensor(s[:-1])
        lab[i, len(p) - 1:len(s) - 1] = torch.tensor(t)
    return ids.to(dev), lab.to(dev)


def arguments():
    a = argparse.ArgumentParser()
    for n in ("--tokenizer", "--init", "--data", "--out"):
        a.add_argument(n, required=True)
    a.add_argument("--total", type=float, required=True, help="tokens to train on, prompts included")
    a.add_argument("--lr", type=float, default=1e-4)
    a.add_argument("--decay", type=float, default=1.0)
    a.add_argument("--round", type=float, default=0.0)
    a.add_argument("--batch", type=int, default=4000, help="positions a step")
    a.add_argument("--seed", type=int, default=7)
    a.add_argument("--valid", nargs="*", default=[])
    a.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    return a.parse_args()


def main():
    o = arguments()
    os.makedirs(o.out, exist_ok=True)
    torch.manual_seed(o.seed)
    if o.device == "cpu":
        torch.set_num_threads(int(os.environ.get("THREADS", os.cpu_count())))
    tok = Tokenizer.from_file(o.tokenizer)
    ex = examples(tok, pairs(o.data))
    valid = {n: examples(tok, pairs(f)) for n, f in (v.split("=") for v in o.valid)}
    state = os.path.join(o.out, "state.pt")
    at = torch.load(state, map_location="cpu") if os.path.exists(state) else {"seen": 0, "step": 0, "seconds": 0.0}
    m = Gemma({k: v.float() for k, v in torch.load(o.init, map_location="cpu").items()})
    names = list(m.p)
    if "master" in at:
        master = [w.to(o.device) for w in at["master"]]
    else:
        master = [m.p[k].detach().clone().to(o.device) for k in names]
    m.to(o.device).to(torch.bfloat16)
    ps = [m.p[k] for k in names]
    opt = torch.optim.AdamW(master, lr=o.lr, betas=(0.9, 0.98), weight_decay=0.0, fused=True)
    if "opt" in at:
        opt.load_state_dict(at["opt"])
    rounded = Rounded(names, "Q5_0")
    net = Trainee(m, o.device)
    log = open(os.path.join(o.out, "log.jsonl"), "a", encoding="utf-8")

    def note(**row):
        row |= {"step": at["step"], "tokens": at["seen"], "seconds": round(at["seconds"])}
        log.write(json.dumps(row) + "\n")
        log.flush()
        print(row, flush=True)

    def publish():
        with torch.no_grad():
            for i, (w, p) in enumerate(zip(master, ps)):
                p.copy_(rounded.values(i, w))

    def validate():
        with torch.no_grad():
            for n, v in valid.items():
                s = c = 0
                for b in batches(v, o.batch, random.Random(1)):
                    ids, lab = collate(b, o.device)
                    k = int((lab != -100).sum())
                    s += net.loss(ids, lab).item() * k
                    c += k
                note(valid=n, loss=round(s / c, 4))

    def save():
        torch.save(at | {"master": master, "opt": opt.state_dict()}, state + ".part")
        os.replace(state + ".part", state)

    stop = []
    signal.signal(signal.SIGTERM, lambda *_: stop.append(1))
    per_epoch = sum(len(p) + len(t) for p, t in ex)
    note(examples=len(ex), tokens_an_epoch=per_epoch, arguments=vars(o))
    publish()
    if at["step"] == 0:
        validate()
    skip, ema, saved, tick = at["step"], None, time.time(), time.time()
    for n, (epoch, b) in enumerate(stream(ex, o.batch, o.seed)):
        if n < skip:
            continue
        left = 1 - at["seen"] / o.total
        if left <= 0 or stop:
            break
        if left < o.round and (not rounded.d or at["step"] % 100 == 0):
            rounded.rescale(master)
        rate = o.lr * min(1, (at["step"] + 1) / 30) * (min(1, left / o.decay) if o.decay else 1)
        for g in opt.param_groups:
            g["lr"] = rate
        ids, lab = collate(b, o.device)
        loss = net.loss(ids, lab)
        loss.backward()
        norm = torch.stack([p.grad.norm(dtype=torch.float32) for p in ps]).norm().item()
        for w, p in zip(master, ps):
            w.grad = p.grad.float().mul_(min(1.0, 1.0 / (norm + 1e-6)))
            p.grad = None
        opt.step()
        publish()
        at["step"] += 1
        at["seen"] += sum(len(p) + len(t) for p, t in b)
        at["seconds"] += time.time() - tick
        tick = time.time()
        ema = loss.item() if ema is None else 0.97 * ema + 0.03 * loss.item()
        if at["step"] % 20 == 0:
            note(epoch=epoch, loss=round(ema, 4), norm=round(norm, 2), rate=rate)
        if at["step"] % 200 == 0:
            validate()
        if time.time() - saved > 600:
            save()
            saved = time.time()
    save()
    if stop:
        note(stopped="by a signal: the same command goes on from here")
        return
    validate()
    torch.save({k: w.cpu() for k, w in zip(names, master)},
               os.path.join(o.out, "model.pt"))
    note(done=True)


if __name__ == "__main__":
    main()
