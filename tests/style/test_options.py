"""Each option of a command stands in its manual page, and no other does."""

import re

import pytest

from conftest import TOP

TABLE = re.compile(r"^(?:static )?const struct option (\w+)_options\[\] = \{\n(.*?)^\};", re.M | re.S)
ROW = re.compile(r"\{ \"([\w-]+)\", (?:'(\w)'|0), (OPTION_\w+)|LIMIT\(\"([\w-]+)\"|"
                 r"OPTION_TABLE, \(void \*\)(\w+)_options")
# What a page says of options: *-x*, *--name*
NAMED = re.compile(r"\*(--?[a-z][\w-]*)\*")
COMMAND = re.compile(r'^\t\{ "(\w+)", ', re.M)


def tables():
    """The options of each table by its name, as --name and -x."""
    found = {}
    for path in sorted((TOP / "src").glob("*.c")):
        for name, rows in TABLE.findall(path.read_text()):
            found[name] = rows
    return found


def options(name, rows):
    known = {"--help", "-h"}
    for long, letter, kind, limit, included in ROW.findall(rows[name]):
        if included:
            known |= options(included, rows)
        elif kind != "OPTION_IGNORED":
            known |= {f"--{long or limit}"} | ({f"-{letter}"} if letter else set())
    return known


def commands():
    return COMMAND.findall((TOP / "src/command.c").read_text())


@pytest.mark.parametrize("command", commands())
def test_a_page_has_the_options_of_its_command(command):
    # pause and resume share a page, and neither has options.
    page = (TOP / "man" / f"hoy-{command.replace('resume', 'pause')}.8.scd").read_text()
    rows = tables()
    known = options(command, rows) if command in rows else {"--help", "-h"}
    section = page[page.index("# OPTIONS"):].split("\n# ")[0]
    headings = "\n".join(line for line in section.splitlines() if line.startswith("*"))
    assert set(NAMED.findall(headings)) == known


def test_the_main_page_has_the_global_options():
    page = (TOP / "man/hoy.8.scd").read_text()
    section = page[page.index("# GLOBAL OPTIONS"):].split("\n# ")[0]
    headings = "\n".join(line for line in section.splitlines() if line.startswith("*"))
    # "the same as --cgroup-manager systemd" is not told twice.
    assert set(NAMED.findall(headings)) >= options("global", tables()) - {"--systemd-cgroup"}


def test_every_page_is_built():
    listed = set(re.findall(r"'(hoy[\w.-]*)'", (TOP / "man/meson.build").read_text()))
    assert listed >= {path.stem for path in (TOP / "man").glob("hoy*.scd")}
