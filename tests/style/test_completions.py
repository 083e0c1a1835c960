"""Completions offer every command and option of the program, in each shell, and nothing else."""

import os
import re
import shutil
import subprocess
import sys

import pytest

from conftest import TOP

GENERATE = TOP / "contrib/completions/generate.py"
SHELLS = ("bash", "fish", "zsh")


@pytest.fixture(scope="module")
def hoy(build):
    return build / "src/hoy"


@pytest.fixture(scope="module")
def tables(hoy):
    """The names of the options by command, "" for the global ones."""
    output = subprocess.run([hoy, "help", "--words"], check=True, capture_output=True, text=True)
    found = {"": set()}
    for line in output.stdout.splitlines():
        kind, command, name, *columns = line.split("\t")
        options = found.setdefault(command, set())
        if kind == "option":
            options |= {f"--{name}"} | ({f"-{columns[0]}"} if columns[0] else set())
    return found


def ask_bash(script, line):
    """What is offered for the last word of a line."""
    ask = ('. "$1"; shift; compopt() { :; }; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _hoy; '
           'printf "%s\\n" "${COMPREPLY[@]}"')
    return run("bash", "--norc", "-c", ask, "bash", script, *line).split()


def ask_fish(script, line):
    ask = 'source $argv[1]; complete -C (string join -- " " $argv[2..])'
    lines = run("fish", "--no-config", "-c", ask, script, *line).splitlines()
    return [offer.split("\t")[0] for offer in lines]


def ask_zsh(script, line):
    """zsh completes in a terminal only; what it would do with is what _arguments is given."""
    ask = """
        _arguments() { case ${@[-1]} in *_hoy_command) (( CURRENT > 2 )) && { shift words; _hoy_command; return } ;; esac
                       print -l -- "$@" }
        script=$1; shift; words=("$@"); CURRENT=$#; source $script"""
    found = run("zsh", "-f", "-c", ask, "zsh", script, *line)
    return re.findall(r"^(?:\([^)]*\)|\*)(--?[\w-]+)", found, re.M)


ASK = {"bash": ask_bash, "fish": ask_fish, "zsh": ask_zsh}


def run(*command):
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert done.stderr == "", done.stderr
    return done.stdout


@pytest.fixture(params=SHELLS)
def complete(request, hoy, tmp_path, monkeypatch):
    """Asks a shell to complete a line of words, where `hoy list -q` prints two ids."""
    if not shutil.which(request.param):
        pytest.skip(f"{request.param} is not installed")
    lister = tmp_path / "bin/hoy"
    lister.parent.mkdir()
    lister.write_text("#!/bin/sh\n"
                      'case " $* " in *" list -q "*) echo one; echo two ;; *) exit 1 ;; esac\n')
    lister.chmod(0o755)
    monkeypatch.setenv("PATH", f"{lister.parent}:{os.environ['PATH']}")
    script = tmp_path / f"hoy.{request.param}"
    script.write_text(run(sys.executable, "-B", str(GENERATE), request.param, str(hoy)))
    return lambda *line: ASK[request.param](str(script), ("hoy", *line))


def test_every_option_is_offered(complete, tables):
    for command, options in tables.items():
        line = (command, "--") if command else ("--",)
        long = {name for name in options if name.startswith("--")}
        assert {name for name in complete(*line) if name.startswith("--")} == long, command


def test_short_options_are_offered(complete, tables):
    for command, options in tables.items():
        offered = set(complete(*((command, "-") if command else ("-",))))
        assert options <= offered, command


@pytest.mark.parametrize("complete", ["bash", "fish"], indirect=True)
def test_commands_are_offered(complete, tables):
    assert set(complete("")) == set(tables) - {""}
    assert set(complete("--root", "/tmp", "--debug", "")) == set(tables) - {""}
    assert complete("--log-format", "json", "featu") == ["features"]


@pytest.mark.parametrize("complete", ["bash", "fish"], indirect=True)
def test_values_are_offered(complete):
    assert set(complete("--log-format", "")) == {"text", "json"}
    assert complete("--cgroup-manager", "sy") == ["systemd"]
    assert complete("list", "--format", "j") == ["json"]


@pytest.mark.parametrize("complete", ["bash", "fish"], indirect=True)
def test_words_are_offered(complete, tables):
    assert set(complete("install", "")) == {"podman", "containerd", "crio", "docker"}
    assert complete("install", "--dry-run", "po") == ["podman"]
    assert set(complete("mounts", "")) == {"add", "remove"}
    assert set(complete("help", "")) == set(tables) - {""}
    assert complete("help", "kill", "") == []


@pytest.mark.parametrize("complete", ["bash", "fish"], indirect=True)
def test_directories_are_offered(complete, tmp_path):
    (tmp_path / "one-bundle").mkdir()
    (tmp_path / "one-file").touch()
    (offer,) = complete("run", "--bundle", f"{tmp_path}/one")
    assert offer.rstrip("/") == f"{tmp_path}/one-bundle"


@pytest.mark.parametrize("complete", ["bash"], indirect=True)
def test_bash_parts_words_at_the_equals_sign(complete):
    assert complete("--log-format", "=", "j") == ["json"]
    assert set(complete("--log-format", "=")) == {"text", "json"}


@pytest.mark.parametrize("complete", ["bash", "fish"], indirect=True)
def test_ids_are_those_of_list(complete):
    assert set(complete("state", "")) == {"one", "two"}
    assert set(complete("list", "")) == set()


def test_completions_are_built(build):
    for name in ("hoy", "_hoy", "hoy.fish"):
        assert (build / "contrib/completions" / name).stat().st_size > 1000
