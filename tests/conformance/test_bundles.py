"""The example bundles: valid by the specification's schema, and what they print."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

BUNDLES = Path(__file__).resolve().parents[2] / "bundles"
NAMES = sorted(path.parent.name for path in BUNDLES.glob("*/config.json"))
SCHEMAS = [Path(os.environ.get("HOY_SCHEMA", "/nonexistent")),
           Path("/usr/share/gocode/src/github.com/opencontainers/runtime-spec/schema")]
CONTROLLERS = Path("/sys/fs/cgroup/cgroup.controllers")


def readme():
    """The names of the table in the README, each with the other runtimes that it says run it."""
    rows = [line.split("|") for line in (BUNDLES / "README.md").read_text().splitlines()
            if line.startswith("| `")]
    return {row[1].strip(" `"): row[3].replace(",", " ").split() for row in rows}


def test_each_has_a_line():
    assert sorted(readme()) == NAMES
    assert len(NAMES) >= 20


def numbers(version):
    return [int(word) for word in re.findall(r"\d+", version)[:3]]


def version_of(directory):
    """The version of a schema: its repository has it as constants of a program."""
    path = directory.parent / "specs-go/version.go"
    if not path.exists():
        return [99]
    return [int(word) for word in re.findall(r"Version(?:Major|Minor|Patch) = (\d+)", path.read_text())]


@pytest.mark.parametrize("name", NAMES)
def test_valid(name):
    jsonschema = pytest.importorskip("jsonschema")
    directory = next((path for path in SCHEMAS if (path / "config-schema.json").exists()), None)
    if not directory:
        pytest.skip("no schema of the specification (HOY_SCHEMA names its directory)")
    schema = json.loads((directory / "config-schema.json").read_text())
    resolver = jsonschema.RefResolver((directory / "config-schema.json").as_uri(), schema)
    config = json.loads((BUNDLES / name / "config.json").read_text())
    if version_of(directory) < numbers(config["ociVersion"]):
        pytest.skip("the schema is of an older version")
    jsonschema.Draft4Validator(schema, resolver=resolver).validate(config)


def make(name, scratch, cgroup):
    """Makes the bundle; returns its directory and the command that it has to be run by."""
    directory = scratch / name
    subprocess.run([BUNDLES / "make", name, directory], check=True, timeout=20)
    config = json.loads((directory / "config.json").read_text())
    if "linux" in config and name != "rootless":
        config["linux"]["cgroupsPath"] = cgroup
    (directory / "config.json").write_text(json.dumps(config))
    around = BUNDLES / name / "around"
    return directory, [str(around), str(directory)] if around.exists() else []


def run(runtime, name, scratch, session):
    resources = json.loads((BUNDLES / name / "config.json").read_text()).get("linux", {}).get(
        "resources", {})
    if set(resources) & {"memory", "cpu", "pids"} and "memory" not in CONTROLLERS.read_text():
        pytest.skip("needs cgroup controllers")
    directory, runtime.wrapper = make(name, scratch, f"/{session.name}/{name}")
    if name == "rootless":
        runtime.globals = []
    result = runtime("run", "--bundle", directory, "c1").ok()
    for line in (BUNDLES / name / "expect").read_text().splitlines():
        assert line in result.stdout, f"{line!r} is missing: {result}"
    return result


@pytest.mark.hoy
@pytest.mark.parametrize("name", NAMES)
def test_with_hoy(runtime, name, scratch, session):
    run(runtime, name, scratch, session)


@pytest.mark.parametrize("program, name", [(program, name) for name, programs in readme().items()
                                           for program in programs])
def test_with_others(runtime, program, name, scratch, session, monkeypatch):
    if not shutil.which(program):
        pytest.skip(f"no {program} here")
    monkeypatch.setenv("HOY", shutil.which(program))
    runtime.keep_null()
    run(runtime, name, scratch, session)
