"""Fails when a dependency has a licence that the project does not accept."""
import json, re, subprocess, sys

ACCEPTED = {
    "MIT", "MIT-0", "Apache-2.0", "Apache-2.0 WITH LLVM-exception", "BSD-2-Clause", "BSD-3-Clause", "ISC", "Zlib",
    "Unicode-3.0", "Unicode-DFS-2016", "CC0-1.0", "0BSD", "BSL-1.0", "Unlicense", "CDLA-Permissive-2.0", "MPL-2.0",
}


def accepted(expression):
    """An OR needs one accepted licence, an AND all of them."""
    expression = expression.replace("/", " OR ").replace("(", "").replace(")", "")
    return all(any(p.strip() in ACCEPTED for p in re.split(r"\bOR\b", part)) for part in re.split(r"\bAND\b", expression))


packages = json.loads(subprocess.check_output(["cargo", "metadata", "--locked", "--format-version", "1"]))["packages"]
bad = [f"{p['name']} {p['version']}: {p.get('license')}" for p in packages if not accepted(p.get("license") or "none")]
print(f"{len(packages)} packages, {len(bad)} with a licence that is not accepted")
sys.exit("\n".join(bad) if bad else 0)
