"""The vocabularies of spec/ are searched by halves: their tables are sorted, without repeats."""

import re

TABLE = re.compile(r"^(?:static )?const struct \w+ (?P<name>\w+)\[\] = \{\n(?P<rows>.*?)^\};",
                   re.M | re.S)
ROW = re.compile(r'^\t\{\s*(?:\.name = )?"([^"]*)"', re.M)


def test_vocabularies_are_sorted(sources):
    wrong = []
    count = 0
    for source in sources:
        if not str(source.path).startswith("src/libhoy/spec/"):
            continue
        for table in TABLE.finditer(source.text):
            names = ROW.findall(table["rows"])
            count += len(names)
            wrong += [f"{source.path}: {table['name']}: {after!r} after {before!r}"
                      for before, after in zip(names, names[1:]) if after <= before]
    assert count > 0, "the reader found no table at all"
    assert not wrong, "\n".join(wrong)
