"""The README, HACKING.md and the manual pages name what is there, and only that."""

import re
import shutil
import subprocess

import pytest

from conftest import TOP
from test_builds import declared
from test_options import commands

PATHS = re.compile(r"(?<![\w./-])(?:contrib|tests|man|bundles|src|include|\.ci)/[\w./<>*-]*\w")


@pytest.mark.parametrize("manual", ["README.md", "HACKING.md"])
def test_named_files_exist(manual):
    path = TOP / manual
    if not path.exists():
        pytest.skip(f"no {manual}")
    named = set(PATHS.findall(path.read_text()))
    missing = [name for name in sorted(named)
               if not re.search(r"[<>*]", name) and not (TOP / name).exists()]
    assert not missing, f"{manual} names {', '.join(missing)}"


def test_named_commands_are_executable():
    named = [path for path in (TOP / "contrib").iterdir() if path.is_file() and not path.suffix]
    assert [str(path) for path in named if not path.stat().st_mode & 0o100] == []


def test_the_main_page_names_every_command():
    text = (TOP / "man/hoy.8.scd").read_text()
    section = text[text.index("# COMMANDS"):text.index("# GLOBAL OPTIONS")]
    assert set(re.findall(r"\*hoy-(\w+)\*\(8\)", section)) == set(commands())


def test_the_library_page_names_every_function():
    text = (TOP / "man/libhoy.3.scd").read_text()
    assert set(re.findall(r"\*(hoy_\w+)\*\(\)", text)) == declared()


def test_the_example_of_the_library_compiles(tmp_path):
    program = tmp_path / "example.c"
    program.write_text(re.search(r"^```\n(.*?)^```", (TOP / "man/libhoy.3.scd").read_text(),
                                 re.M | re.S)[1])
    subprocess.run(["cc", "-Wall", "-Wextra", "-Werror", "-std=c99", f"-I{TOP}/include", "-c",
                    program, "-o", tmp_path / "example.o"], check=True)


@pytest.mark.parametrize("page", sorted((TOP / "man").glob("*.scd")), ids=lambda page: page.stem)
def test_pages_are_formatted_without_a_warning(page):
    for tool in ("scdoc", "groff"):
        if not shutil.which(tool):
            pytest.skip(f"{tool} is not installed")
    roff = subprocess.run(["scdoc"], input=page.read_bytes(), capture_output=True, check=True)
    done = subprocess.run(["groff", "-man", "-t", "-ww", "-z", "-Tutf8"], input=roff.stdout,
                          capture_output=True, check=True)
    assert done.stderr == b""
