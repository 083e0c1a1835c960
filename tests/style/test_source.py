"""Rules for the text of the sources that neither the compiler nor clang-format knows."""

import re

COMPAT = "src/libhoy/sys/compat.h"
SMALL = 50  # lines of a file that one line can introduce
OPENING = re.compile(r"(?:/\* SPDX-License-Identifier: [^\n]* \*/\n)?/\*(?P<text>.*?)\*/", re.S)


def lines_with(pattern, sources, text=lambda source: source.code):
    """Where the pattern occurs, as file:line: words."""
    return [f"{source.path}:{text(source).count(chr(10), 0, match.start()) + 1}: {match.group()}"
            for source in sources for match in re.finditer(pattern, text(source), re.M)]


def test_no_goto(sources):
    assert lines_with(r"\bgoto\b", sources) == []


def test_no_typedef_of_structs(sources):
    assert lines_with(r"\btypedef\s+(struct|union|enum)\b", sources) == []


def test_no_unfinished_work(sources):
    assert lines_with(r"\b(TODO|FIXME|XXX)\b", sources, lambda source: source.text) == []


def test_conditional_compilation_lives_in_one_file(sources):
    found = lines_with(r"^\s*#\s*(if|ifdef|ifndef|elif)\b.*$",
                       [source for source in sources if str(source.path) != COMPAT])
    guards = re.compile(r"#ifndef HOY_\w+_H$|#ifdef __cplusplus$")
    assert [line for line in found if not guards.search(line)] == []


def test_each_file_opens_with_what_it_is_responsible_for(sources):
    wrong = []
    for source in sources:
        match = OPENING.match(source.text)
        text = match["text"].strip(" *\n").split("\n") if match else []
        least = 2 if source.path.suffix == ".c" and source.lines > SMALL else 1
        most = 100 if source.path.name == "main.c" else 12
        if not text or not least <= len(text) <= most:
            wrong.append(f"{source.path}: an opening comment of {len(text)} lines")
    assert not wrong, "\n".join(wrong)


def test_own_header_comes_first(sources):
    paths = {str(source.path) for source in sources}
    wrong = []
    for source in sources:
        header = str(source.path.with_suffix(".h"))
        if source.path.suffix == ".c" and header in paths:
            first = source.includes[0] if source.includes else "nothing"
            if not header.endswith("/" + first):
                wrong.append(f"{source.path} includes {first} first")
    assert not wrong, "\n".join(wrong)
