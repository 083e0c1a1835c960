"""bundle.md, glossary.md: the bundle as a directory, its configuration as a document."""

import json
import os

from suite import case, document, has, same


@case("bundle.config-json.location")
def no_config_json(t):
    (t.bundle.path / "Config.json").write_text(json.dumps(t.config))
    assert t.create_as_it_is().status != 0, "create succeeds without config.json"
    t.is_unknown()
    t.runs()


@case("bundle.config-json.location", "op.create.no-bundle-or-id")
def no_config_json_in_the_working_directory(t):
    assert t.runtime("create", "c1", cwd=t.scratch).status != 0
    t.is_unknown()


@case("bundle.rootfs.present", "config.root.path.exists", each=["missing", "file", "dangling"])
def root_that_is_no_directory(t, kind):
    t.config["root"]["path"] = kind
    if kind == "file":
        (t.bundle.path / kind).touch()
    if kind == "dangling":
        (t.bundle.path / kind).symlink_to("nowhere")
    t.refused()
    assert not (t.bundle.path / "missing").exists(), "it is there now"


@case("bundle.single-directory", each={
    "space": "with space", "percent": "per%cent", "newline": "new\nline", "letter": "é",
    "punctuation": "a:b,c\\d"})
def name_of_the_bundle(t, name):
    t.bundle = t.make_bundle(name)
    with t.runtime.running(t.bundle.sh("echo inside")) as it:
        same(it.state["bundle"], str(t.bundle.path))
        it.wait()
        same(it.output, "inside\n")


@case("glossary.json.utf8")
def text_comes_through(t):
    t.config["annotations"] = {"com.example.x": "é漢\U0001f600"}
    t.process["env"].append("X=é漢\U0001f600")
    with t.runtime.running(t.bundle.args("/bin/probe", "env")) as it:
        same(it.state["annotations"]["com.example.x"], "é漢\U0001f600")
        it.wait()
        has("X=é漢\U0001f600", document(it.output)["env"])


@case("glossary.json.utf8")
def text_that_is_not_utf8(t):
    t.process["env"].append("X=\udcff")
    t.refused()


@case("glossary.json.duplicate-names")
def a_name_twice(t):
    text = t.bundle.args("/bin/true").write().joinpath("config.json").read_text()
    (t.bundle.path / "config.json").write_text(text.replace('"cwd": "/"', '"cwd": "/", "cwd": "/bin"'))
    assert t.create_as_it_is().status != 0, "create succeeds"
    t.is_unknown()


def reverse(value):
    if isinstance(value, dict):
        return {name: reverse(value[name]) for name in reversed(value)}
    return [reverse(item) for item in value] if isinstance(value, list) else value


@case("glossary.json.order")
def members_in_another_order(t):
    t.bundle.mount("/a", "tmpfs", "one").mount("/a/b", "tmpfs", "two").args("/bin/probe", "mountinfo")
    first = t.runtime.run(t.bundle).ok().json["mountinfo"]
    t.bundle.config = reverse(t.config)
    second = t.runtime.run(t.bundle).ok().json["mountinfo"]
    same(*([line.split()[4:6] for line in lines] for lines in (second, first)), "mounts")


@case("glossary.namespaces.runtime-vs-container")
def the_runtime_in_namespaces_of_its_own(t):
    """Paths and what is inherited are those of the runtime's surroundings, not of the host's."""
    hidden = t.scratch / "hidden"
    hidden.mkdir()
    t.bundle.without_namespace("network")
    t.bundle.hook_sh("createRuntime", f"cat >/dev/null; readlink /proc/self/ns/net >{hidden}/hook")
    script = 'mount --bind "$0" "$1"; shift; exec "$@"'
    t.runtime.wrapper = ["unshare", "--mount", "--net", "--propagation", "private", "--", "sh", "-c",
                         script, str(t.bundle.path), str(hidden)]
    t.bundle.args("/bin/probe", "namespaces").write()
    t.runtime.names.add("c1")
    created = t.runtime("create", "--bundle", hidden, "c1").ok()
    t.runtime.wrapper = []
    t.runtime("start", "c1").ok()
    inside = t.wait_for_output(created)
    outer = os.readlink("/proc/self/ns/net")
    seen = document(inside)["namespaces"]["net"]
    assert seen != outer, "the network is the host's"
    same((t.bundle.path / "hook").read_text().strip(), seen, "network of the hook")
