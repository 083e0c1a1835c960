"""The size of functions and files. The numbers are printed; past the limits the test fails.

Lines of a function count from its first to its closing line, without the tables in it.
"""

import statistics

HARD_LIMIT = 100
MEDIAN_LIMIT = 20
P90_LIMIT = 45
LONG = 60
FILE_LIMIT = 700
PARAMETER_LIMIT = 6
NESTING_LIMIT = 3


def functions(sources):
    return [function for source in sources for function in source.functions]


def test_function_lines(sources, capsys):
    found = functions(sources)
    assert found, "the reader found no function at all"
    lines = sorted(function.lines for function in found)
    longest = max(found, key=lambda function: function.lines)
    median, p90 = statistics.median(lines), lines[len(lines) * 9 // 10]
    share = 100 * sum(n for n in lines if n > LONG) / sum(lines)
    with capsys.disabled():
        print(f"\n{len(lines)} functions: lines median {median:g}, p90 {p90}, longest {lines[-1]} "
              f"({longest.name}); {share:.1f} % of the code in functions over {LONG} lines")
    too_long = [f"{f}: {f.lines} lines" for f in found if f.lines > HARD_LIMIT]
    assert not too_long, "\n".join(too_long)
    assert median <= MEDIAN_LIMIT
    assert p90 <= P90_LIMIT


def test_file_lines(sources, capsys):
    largest = max(sources, key=lambda source: source.lines)
    with capsys.disabled():
        print(f"\n{len(sources)} files, {sum(source.lines for source in sources)} lines, "
              f"largest {largest.path} ({largest.lines})")
    too_long = [f"{s.path}: {s.lines} lines" for s in sources if s.lines > FILE_LIMIT]
    assert not too_long, "\n".join(too_long)


def test_parameters(sources):
    wrong = [f"{f}: {len(f.parameters)} parameters" for f in functions(sources)
             if len(f.parameters) > PARAMETER_LIMIT]
    assert not wrong, "\n".join(wrong)


def test_nesting(sources):
    wrong = [f"{f}: {f.depth} levels of blocks" for f in functions(sources)
             if f.depth > NESTING_LIMIT]
    assert not wrong, "\n".join(wrong)
