"""Includes point downwards only, and each foreign library stays behind the module that owns it."""

from pathlib import PurePath

from conftest import TOP

# A layer may include itself and those before it; those of one row are strangers to each other.
LAYERS = [
    {"sys"},
    {"base"},
    {"spec"},
    {"config"},
    {"host"},
    {"plan", "protocol"},
    {"cgroup", "state", "init"},
    {"runtime"},
    {"src"},
]
RANK = {name: rank for rank, names in enumerate(LAYERS) for name in names}

# All that the code which runs after clone may include of ours.
BELOW_INIT = ("sys/", "init/", "protocol.h", "plan/plan.h", "hoy/error.h")

# foreign header: the only places that may include it
OWNERS = {
    "yajl/": ("src/libhoy/base/json_read.c", "src/libhoy/base/json_write.c"),
    "seccomp.h": ("src/libhoy/spec/", "src/libhoy/runtime/"),
    "sys/capability.h": ("src/libhoy/spec/", "src/libhoy/host.c"),
}


def layer(path):
    """The layer of a file of src/: the directory or file below src/libhoy/, or else "src"."""
    parts = PurePath(path).parts
    return PurePath(parts[2]).stem if parts[:2] == ("src", "libhoy") else "src"


def own(header):
    """The path of an internal header by the name it is included by; it may be a generated one."""
    inside = "/" in header or (TOP / "src/libhoy" / header).exists()
    return PurePath("src/libhoy" if inside else "src", header)


def internal(sources):
    return [source for source in sources if source.path.parts[0] == "src"]


def test_includes_point_downwards(sources):
    wrong = []
    for source in internal(sources):
        here = layer(source.path)
        for header in source.own_includes:
            there = layer(own(header))
            if here != there and RANK[there] >= RANK[here]:
                wrong.append(f"{source.path} ({here}) includes {header} ({there})")
    assert not wrong, "\n".join(wrong)


def test_init_includes_only_what_is_safe_after_clone(sources):
    wrong = [f"{source.path} includes {header}"
             for source in internal(sources) if layer(source.path) == "init"
             for header in source.own_includes + source.public_includes
             if not header.startswith(BELOW_INIT)]
    assert not wrong, "\n".join(wrong)


def test_public_headers_stand_alone(sources):
    wrong = [f"{source.path} includes {header}"
             for source in sources if source.path.parts[0] == "include"
             for header in source.includes
             if header in source.own_includes or header.startswith(tuple(OWNERS))]
    assert not wrong, "\n".join(wrong)


def test_foreign_libraries_stay_behind_their_module(sources):
    wrong = [f"{source.path} includes {header}, which only {', '.join(places)} may"
             for source in sources for header in source.includes
             for foreign, places in OWNERS.items()
             if header.startswith(foreign) and not str(source.path).startswith(places)]
    assert not wrong, "\n".join(wrong)
