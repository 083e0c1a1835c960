#!/usr/bin/env python3
"""peers.py RESULTS: what the tests of engines find with crun and runc in hoy's place, beside what they
have found with hoy: the files vm-*/podman.xml and vm-*/engines.xml below RESULTS. Writes peers.md.

A test that fails with another runtime is a row of that table, and no failure here.
"""

import os
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as xml
from pathlib import Path

HERE = Path(__file__).resolve().parent
BOOTS = ("podman", "engines")
PEERS = ("crun", "runc")
HEAD = """# Engines with hoy, crun and runc

Written by `contrib/test --peers engines` on {date}: the tests of this directory with each of the three
runtimes under the same configuration, that of `hoy install`. "-" is a test about hoy only.

| what | version |
|---|---|
"""


def outcomes(files):
    """For each test what came of it, by engine and feature; and the versions of what ran."""
    found, versions = {}, {}
    for path in files:
        tree = xml.parse(path)
        versions |= {entry.get("name"): entry.get("value") for entry in tree.iter("property")}
        for case in tree.iter("testcase"):
            key = (case.get("classname").rpartition(".test_")[2].replace("_", " "),
                   case.get("name").removeprefix("test_").replace("_", " "))
            # What fails twice, in itself and in what follows it, has two entries.
            if case.find("failure") is not None or case.find("error") is not None:
                found[key] = "FAIL"
            elif case.find("skipped") is not None:
                found[key] = "-"
            else:
                found.setdefault(key, "pass")
    return found, versions


def run_peer(name, directory):
    """Runs all of it with another runtime, which may fail in whatever it likes."""
    subprocess.run([sys.executable, "-B", HERE.parent / "cgroup/boots.py", directory],
                   env={**os.environ, "HOY_BOOTS": " ".join(BOOTS), "HOY_RUNTIME": name}, check=False)
    return sorted(directory.glob("*.xml"))


def table(read):
    """The text of peers.md, from (outcomes, versions) of each runtime."""
    versions = {}
    for name, (_, found) in read.items():
        versions |= {**found, name: found.get("runtime", "no result")}
    versions.pop("runtime", None)
    lines = [f"| {name} | {version} |" for name, version in sorted(versions.items())]
    lines += ["", f"| engine | feature | {' | '.join(read)} |", f"|---|---|{'---|' * len(read)}"]
    for engine, feature in sorted({key for found, _ in read.values() for key in found}):
        words = [found.get((engine, feature), "no result") for found, _ in read.values()]
        lines.append(f"| {engine} | {feature} | {' | '.join(words)} |")
    return HEAD.format(date=time.strftime("%Y-%m-%d", time.gmtime())) + "\n".join(lines) + "\n"


def main():
    results = Path(sys.argv[1])
    read = {"hoy": outcomes([path for name in BOOTS for path in results.glob(f"vm-*/{name}.xml")])}
    for name in PEERS:
        with tempfile.TemporaryDirectory() as directory:
            read[name] = outcomes(run_peer(name, Path(directory)))
    (HERE / "peers.md").write_text(table(read))


if __name__ == "__main__":
    main()
