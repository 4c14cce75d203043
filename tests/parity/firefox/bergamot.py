"""Translates lines with bergamot-translator, each line alone.

    bergamot.py MODEL_DIRECTORY < LINES > TRANSLATIONS

Runs in a Python that has the package bergamot 0.4.5. A line alone, since a batch shares one
shortlist, so that a translation would depend on its neighbours.
"""

import importlib.machinery
import importlib.util
import pathlib
import site
import sys
import tempfile

CONFIG = """bergamot-mode: native
models: [{model}]
vocabs: [{source}, {target}]
shortlist: [{lexicon}, false]
beam-size: 1
normalize: 1.0
word-penalty: 0
max-length-break: 128
mini-batch-words: 1024
workspace: 128
max-length-factor: 2.5
skip-cost: true
gemm-precision: int8shiftAlphaAll
alignment: soft
quiet: true
quiet-translation: true
ssplit-mode: sentence
cpu-threads: 1
"""


def extension():
    """The package's compiled module; its Python part looks for models on the network."""
    for folder in site.getsitepackages():
        for path in pathlib.Path(folder).glob("bergamot/_bergamot*.so"):
            loader = importlib.machinery.ExtensionFileLoader("_bergamot", str(path))
            module = importlib.util.module_from_spec(importlib.util.spec_from_file_location("_bergamot", path, loader=loader))
            loader.exec_module(module)
            return module
    sys.exit("this Python has no package bergamot")


def main():
    folder = pathlib.Path(sys.argv[1]).resolve()
    find = lambda *patterns: next(str(path) for pattern in patterns for path in sorted(folder.glob(pattern)))
    config = CONFIG.format(
        model=find("model*.bin"),
        source=find("srcvocab*.spm", "vocab*.spm"),
        target=find("trgvocab*.spm", "vocab*.spm"),
        lexicon=find("lex*.bin"),
    )
    bergamot = extension()
    with tempfile.NamedTemporaryFile("w", suffix=".yml") as file:
        file.write(config)
        file.flush()
        service = bergamot.Service(bergamot.ServiceConfig(1, 0, "off"))
        model = service.modelFromConfigPath(file.name)
    for line in sys.stdin:
        (response,) = service.translate(model, bergamot.VectorString([line.rstrip("\n")]), bergamot.ResponseOptions())
        print(response.target.text)


if __name__ == "__main__":
    main()
