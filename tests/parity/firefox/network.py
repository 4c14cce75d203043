"""A random transformer of Firefox's shape, run in floats to calibrate its 8-bit form."""

import collections

import numpy

# Weights have this deviation over the root of their width, as in trained models.
GAIN = 1.3
# A random decoder repeats itself: its state depends on its last word above all. So, as in trained
# ones, attention to the source follows the positions and weighs more than the last word does.
SOURCE_GAIN, OTHER_GAIN, POSITION_GAINS = 1.6, 0.4, [4.0, 6.0, 8.0, 11.0]
END_GAIN = 3.0
# How often the row of the end is learnt, and how long it is where other rows have a length of 1.
END_TURNS, END_LENGTH = 3, 1.6
QUIET = numpy.float32(0.15)


def norm(x, scale, bias):
    centred = x - x.mean(-1, keepdims=True)
    return centred / numpy.sqrt((centred * centred).mean(-1, keepdims=True) + 1e-6) * scale + bias


def softmax(x):
    e = numpy.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


class Network:
    """Weights, as `matrices` (one row an output, tables too), `floats` and, once calibrated, `alphas`."""

    def __init__(self, rng, dim, ffn, heads, encoder, decoder, vocabularies, tied):
        self.rng, self.dim, self.heads, self.depths = rng, dim, heads, (encoder, decoder)
        self.matrices, self.floats, self.alphas, self.tables = {}, {}, {}, set()
        self.source_table, self.target_table = ("Wemb", "Wemb") if tied else ("encoder_Wemb", "decoder_Wemb")
        for name, size in zip([self.source_table, self.target_table], vocabularies):
            if name not in self.matrices:
                # Times the root of the width this is 1, not much more than the position signal.
                self.matrices[name] = rng.normal(0.0, 1.0 / dim**0.5, (size, dim)).astype("f4")
                self.tables.add(name)
        # The faster part of the position signal, which all but the signal itself leaves alone.
        self.reserved = numpy.arange(dim) % (dim // 2) < dim // 6
        for name in self.tables:
            self.matrices[name][:, self.reserved] *= QUIET
        self.floats["decoder_ff_logit_out_b"] = numpy.zeros(vocabularies[1], "f4")
        for layer in range(1, encoder + 1):
            self.attention(f"encoder_l{layer}_self")
            self.block(f"encoder_l{layer}_ffn", ffn, 1.0)
        for layer in range(1, decoder + 1):
            prefix = f"decoder_l{layer}_rnn"
            self.matrix(f"{prefix}_W", dim, dim)
            self.matrices[f"{prefix}_W"][self.reserved] *= QUIET
            self.matrix(f"{prefix}_Wf", dim, dim)
            self.bias(f"{prefix}_bf", dim, 0.6, 1.2)
            self.norm(f"{prefix}_ffn", dim, 1.15)
            self.attention(f"decoder_l{layer}_context")
            self.align(f"decoder_l{layer}_context", POSITION_GAINS[layer - 1])
            if layer == decoder:
                self.carry_end(f"decoder_l{layer}_context")
            self.block(f"decoder_l{layer}_ffn", ffn, 4.0 if layer == decoder else 1.2)

    def matrix(self, name, width, outputs):
        spread = numpy.exp(self.rng.normal(0.0, 0.25, (outputs, 1)))
        values = self.rng.normal(0.0, GAIN / width**0.5, (outputs, width)) * spread
        self.matrices[name] = values.astype("f4")

    def bias(self, name, size, mean, deviation):
        self.floats[name] = self.rng.normal(mean, deviation, size).astype("f4")

    def norm(self, prefix, size, scale):
        self.bias(f"{prefix}_ln_scale", size, scale, 0.08 * scale)
        self.bias(f"{prefix}_ln_bias", size, 0.0, 0.08)

    def attention(self, prefix):
        for letter in "qkvo":
            self.matrix(f"{prefix}_W{letter}", self.dim, self.dim)
            self.bias(f"{prefix}_b{letter}", self.dim, 0.0, 0.2)
        self.matrices[f"{prefix}_Wo"] *= numpy.float32(OTHER_GAIN)
        self.matrices[f"{prefix}_Wo"][self.reserved] *= QUIET
        self.norm(f"{prefix}_Wo", self.dim, 1.1)

    def align(self, prefix, gain):
        """Makes queries and keys alike where positions are, and the output heavier."""
        share = numpy.where(self.reserved, numpy.float32(gain), numpy.float32(0.5))
        key = self.matrices[f"{prefix}_Wk"] * share
        self.matrices[f"{prefix}_Wk"] = key
        self.matrices[f"{prefix}_Wq"] = key + numpy.float32(0.3) * self.matrices[f"{prefix}_Wq"] * ~self.reserved
        self.matrices[f"{prefix}_Wo"] *= numpy.float32(SOURCE_GAIN / OTHER_GAIN)

    def carry_end(self, prefix):
        """Lets the end of the source, where attention comes to it, call for that of the target."""
        end = self.matrices[self.target_table][0]
        end = end / numpy.sqrt((end * end).sum())
        through = self.rng.normal(0.0, self.dim**-0.5, self.dim).astype("f4")
        self.matrices[f"{prefix}_Wv"] += numpy.outer(through, end)
        self.matrices[f"{prefix}_Wo"] += numpy.float32(END_GAIN) * numpy.outer(end, through)

    def block(self, prefix, ffn, scale):
        self.matrix(f"{prefix}_W1", self.dim, ffn)
        self.bias(f"{prefix}_b1", ffn, -0.6, 0.7)
        self.matrix(f"{prefix}_W2", ffn, self.dim)
        self.matrices[f"{prefix}_W2"] *= numpy.float32(OTHER_GAIN)
        self.matrices[f"{prefix}_W2"][self.reserved] *= QUIET
        self.bias(f"{prefix}_b2", self.dim, 0.0, 0.2)
        self.norm(f"{prefix}_ffn", self.dim, scale)

    def quantised(self):
        """8-bit weights with their multipliers and the shapes that the file states."""
        out = {}
        for name, values in self.matrices.items():
            multiplier = numpy.float32(127.0) / numpy.abs(values).max()
            shape = values.shape if name in self.tables else values.shape[::-1]
            out[name] = (numpy.rint(values * multiplier).astype("i1"), float(multiplier), shape)
        return out

    # The forward pass, which notes the largest value of every input of a matrix in `seen`.

    def affine(self, name, x, bias=None):
        self.seen[f"{name}_QuantMultA"].append(numpy.abs(x).max())
        out = x @ self.rounded[name].T
        return out if bias is None else out + self.floats[bias]

    def positions(self, first, count):
        half = self.dim // 2
        rates = numpy.exp(numpy.arange(half) * -(numpy.log(10000.0) / (half - 1)))
        angles = numpy.arange(first, first + count)[:, None] * rates
        return numpy.concatenate([numpy.sin(angles), numpy.cos(angles)], 1).astype("f4")

    def attend(self, prefix, x, keys, values):
        split = lambda y: y.reshape(len(y), self.heads, -1).transpose(1, 0, 2)
        q = split(self.affine(f"{prefix}_Wq", x, f"{prefix}_bq"))
        shares = softmax(q @ split(keys).transpose(0, 2, 1) / (self.dim / self.heads) ** 0.5)
        mixed = (shares @ split(values)).transpose(1, 0, 2).reshape(len(x), -1)
        return self.affine(f"{prefix}_Wo", mixed, f"{prefix}_bo") + x

    def memory(self, prefix, x):
        return [self.affine(f"{prefix}_W{letter}", x, f"{prefix}_b{letter}") for letter in "kv"]

    def feed(self, prefix, x):
        inner = numpy.maximum(self.affine(f"{prefix}_W1", x, f"{prefix}_b1"), 0.0)
        return self.affine(f"{prefix}_W2", inner, f"{prefix}_b2") + x

    def recur(self, prefix, x, cell):
        """The recurrent unit over the rows of `x`, one after the other; `cell` is kept up."""
        value = self.affine(f"{prefix}_W", x)
        gate = 1.0 / (1.0 + numpy.exp(-self.affine(f"{prefix}_Wf", x, f"{prefix}_bf")))
        out = numpy.empty_like(x)
        for row in range(len(x)):
            cell[:] = cell * gate[row] + value[row] * (1.0 - gate[row])
            out[row] = numpy.maximum(cell, 0.0) + x[row]
        return out

    def normed(self, prefix, sums):
        scale, bias = self.floats[f"{prefix}_ln_scale"], self.floats[f"{prefix}_ln_bias"]
        return [norm(x, scale, bias) for x in sums]

    def settle(self, prefix, sums):
        """Takes off what all `sums` have in common, and brings the rest to the deviation that the
        scale was drawn for: a random network would else say the same whatever it reads."""
        rows = norm(numpy.concatenate(sums), 1.0, 0.0)
        common = rows.mean(0)
        scale = self.floats[f"{prefix}_ln_scale"]
        scale /= numpy.sqrt(((rows - common) ** 2).mean())
        self.floats[f"{prefix}_ln_bias"] -= scale * common
        return self.normed(prefix, sums)

    def embed(self, table, words, first=0):
        return self.rounded[table][words] * self.dim**0.5 + self.positions(first, len(words))

    def encode(self, sources, end="normed"):
        """What the decoder's layers attend to, for each source."""
        end = getattr(self, end)
        xs = [self.embed(self.source_table, source) for source in sources]
        for layer in range(1, self.depths[0] + 1):
            prefix = f"encoder_l{layer}"
            xs = end(f"{prefix}_self_Wo", [self.attend(f"{prefix}_self", x, *self.memory(f"{prefix}_self", x)) for x in xs])
            xs = end(f"{prefix}_ffn_ffn", [self.feed(f"{prefix}_ffn", x) for x in xs])
        return [[self.memory(f"decoder_l{layer}_context", x) for layer in range(1, self.depths[1] + 1)] for x in xs]

    def step(self, xs, memories, cells, end="normed"):
        """The decoder's layers over the rows of `xs`, which follow those that made `cells`."""
        end = getattr(self, end)
        for layer in range(self.depths[1]):
            prefix = f"decoder_l{layer + 1}"
            xs = end(f"{prefix}_rnn_ffn", [self.recur(f"{prefix}_rnn", x, c[layer]) for x, c in zip(xs, cells)])
            xs = end(f"{prefix}_context_Wo", [self.attend(f"{prefix}_context", x, *m[layer]) for x, m in zip(xs, memories)])
            xs = end(f"{prefix}_ffn_ffn", [self.feed(f"{prefix}_ffn", x) for x in xs])
        return xs

    def fresh(self):
        return [numpy.zeros(self.dim, "f4") for _ in range(self.depths[1])]

    def decode(self, memories, candidates, limit):
        """Greedy search that never ends by itself: the rows before the output layer, and how far
        the best candidate is above the end of the sentence at each step."""
        table = self.rounded[self.target_table]
        cells = self.fresh()
        last, rows, margins = [], [], []
        while len(rows) < limit:
            x = self.positions(len(rows), 1)
            if rows:
                x = self.embed(self.target_table, last, len(rows))
            x = self.step([x], [memories], [cells])[0]
            self.seen["none_QuantMultA"].append(numpy.abs(x).max())
            logits = (x @ table[candidates].T)[0] + self.floats["decoder_ff_logit_out_b"][candidates]
            best = int(logits[1:].argmax()) + 1
            rows.append(x[0])
            margins.append(logits[best] - logits[0])
            last = [int(candidates[best])]
        return numpy.array(rows), numpy.array(margins)

    def calibrate(self, samples, lexicon, frequent, deviations):
        """Sets the scales of the activations by running `samples`, and the bias of the end so that
        sentences come out about as long as they went in."""
        self.seen = collections.defaultdict(list)
        self.round()
        shortlists = []
        for source in samples:
            chosen = set(range(frequent)).union(*(lexicon[word] for word in source))
            if self.source_table == self.target_table:
                chosen.update(source)
            shortlists.append(sorted(chosen))
        # Any words will do for what came before.
        before = [self.rng.choice(words[frequent:], len(source)) for source, words in zip(samples, shortlists)]
        self.step(
            [self.embed(self.target_table, words) for words in before],
            self.encode(samples, "settle"),
            [self.fresh() for _ in samples],
            "settle",
        )
        for turn in range(END_TURNS + 1):
            self.seen.clear()
            runs = [
                self.decode(memories, words, 2 * len(source))
                for source, words, memories in zip(samples, shortlists, self.encode(samples))
            ]
            if turn < END_TURNS:
                self.learn_end([rows for rows, _ in runs])
        self.floats["decoder_ff_logit_out_b"][0] += self.end_bias([margins for _, margins in runs])
        for name, largest in self.seen.items():
            alpha = 127.0 / (numpy.mean(largest) + deviations * numpy.std(largest))
            # Rounded, so that the order of a CPU's float sums does not show in the file.
            self.alphas[name] = float(f"{alpha:.3g}")

    def learn_end(self, runs):
        """Makes the end's row of the table tell how far a sentence has come, as far as a linear map can."""
        table = self.matrices[self.target_table]
        rows = numpy.concatenate(runs)
        steps = [numpy.log((numpy.arange(len(run)) + 1) * 2 / len(run)) for run in runs]
        wanted = numpy.concatenate(steps).clip(-1.5, 0.7)
        rows = rows - rows.mean(0)
        ridge = 0.02 * len(rows) * rows.var(0).mean() * numpy.eye(self.dim)
        end = numpy.linalg.solve(rows.T @ rows + ridge, rows.T @ (wanted - wanted.mean()))
        table[0] = end * (END_LENGTH / numpy.sqrt((end * end).sum()))
        self.round()

    def round(self):
        quantised = self.quantised().items()
        self.rounded = {name: (w / numpy.float32(m)).astype("f4") for name, (w, m, _) in quantised}

    def end_bias(self, margins):
        """The bias that makes the end come first as near to the source's length as it can be had."""

        def miss(bias):
            ends = [numpy.argmax(row < bias) if (row < bias).any() else 4 * len(row) for row in margins]
            return numpy.mean([abs(numpy.log((end + 1) * 2 / len(row))) for end, row in zip(ends, margins)])

        choices = numpy.quantile(numpy.concatenate(margins), numpy.linspace(0.005, 0.3, 60))
        return round(float(min(choices, key=miss)), 2)
