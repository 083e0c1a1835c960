"""The rules of the specification's schema for a state document."""

import re

SEMVER = re.compile(r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?")


def check_state(state):
    for name in ("ociVersion", "id", "status", "bundle"):
        assert isinstance(state.get(name), str), f"{name}: {state.get(name)!r}"
    assert SEMVER.fullmatch(state["ociVersion"]), f"ociVersion: {state['ociVersion']}"
    if "pid" in state:
        assert type(state["pid"]) is int and state["pid"] >= 0, f"pid: {state['pid']!r}"
    annotations = state.get("annotations", {})
    assert isinstance(annotations, dict), f"annotations: {annotations!r}"
    assert all(name and isinstance(value, str) for name, value in annotations.items())
