"""Writes Marian's binary files: models and lexical shortlists."""

import struct

import numpy

INT8, FLOAT32, INTGEMM8 = 0x0101, 0x0404, 0x4101
ALIGNMENT = 256
LEXICON_MAGIC = 0xF11A48D5013417F5


def padded(data):
    return data + bytes(-len(data) % ALIGNMENT)


def model_bytes(network, config):
    """A model file: headers, names, shapes, then the tensors in the order of their names, each
    aligned; an 8-bit one is followed by its multiplier, and stored one row an output."""
    tensors = {}
    for name, (weights, multiplier, shape) in network.quantised().items():
        tensors[name] = (INTGEMM8, shape, padded(weights.tobytes() + struct.pack("<f", multiplier)))
    for name, values in network.floats.items():
        tensors[name] = (FLOAT32, (1, values.size), padded(values.astype("<f4").tobytes()))
    for name, alpha in network.alphas.items():
        tensors[name] = (FLOAT32, (1, 1), padded(struct.pack("<f", alpha)))
    # Marian's converter takes this scale for a part of the table that it is named after, and so quantises it.
    table = network.target_table
    alpha = network.alphas["none_QuantMultA"]
    tensors[f"{table}_QuantMultA"] = (INTGEMM8, (1, 1), padded(struct.pack("<bf", 127, 127.0 / alpha)))
    ordered = sorted(tensors.items())
    text = config.encode() + b"\0"
    ordered.append(("special:model.yml", (INT8, (len(text),), text)))

    out = struct.pack("<QQ", 1, len(ordered))
    for name, (kind, shape, data) in ordered:
        out += struct.pack("<QQQQ", len(name) + 1, kind, len(shape), len(data))
    out += b"".join(name.encode() + b"\0" for name, _ in ordered)
    out += b"".join(struct.pack(f"<{len(shape)}i", *shape) for _, (_, shape, _) in ordered)
    gap = -(len(out) + 8) % ALIGNMENT
    out += struct.pack("<Q", gap) + bytes(gap)
    return out + b"".join(data for _, (_, _, data) in ordered)


def checksum(body):
    """Marian's running combination of 8-byte words; a last half word does not count."""
    mask = (1 << 64) - 1
    seed = 0
    for (value,) in struct.iter_unpack("<Q", body[: len(body) // 8 * 8]):
        seed ^= (value + 0x9E3779B9 + (seed << 6) + (seed >> 2)) & mask
    return seed


def write_lexicon(path, rows, frequent, best):
    """A shortlist: for each source word the target words worth scoring, ascending."""
    offsets = numpy.concatenate([[0], numpy.cumsum([len(row) for row in rows])]).astype("<u8")
    words = numpy.array([word for row in rows for word in row], "<u4")
    body = struct.pack("<QQQQ", frequent, best, len(offsets), len(words)) + offsets.tobytes() + words.tobytes()
    path.write_bytes(struct.pack("<QQ", LEXICON_MAGIC, checksum(body)) + body)
