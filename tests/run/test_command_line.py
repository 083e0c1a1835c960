"""The command line: options, exit statuses, the log, what is printed and where."""

import json
import os
import re
import stat

import pytest

req = pytest.mark.req
pytestmark = pytest.mark.hoy


@pytest.fixture
def logged(runtime, scratch):
    """The runtime with a JSON log; the function returns the log's objects."""
    log = scratch / "log"
    runtime.globals += ["--log", str(log), "--log-format", "json"]
    return lambda: [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []


def test_version(runtime):
    lines = runtime("--version").silent().stdout.splitlines()
    assert re.fullmatch(r"hoy version \d+\.\d+\.\d+.*", lines[0])
    assert lines[1].startswith("commit: ") and lines[2] == "spec: 1.3.0"
    assert {"+SECCOMP", "+EBPF"} <= set(lines[3].split())
    assert runtime("-v").stdout.splitlines() == lines


def test_help_names_every_command(runtime):
    text = runtime("--help").silent().stdout
    for command in ("create", "start", "state", "kill", "delete", "run", "exec", "list", "spec",
                    "features"):
        assert re.search(rf"^\s+{command}\b", text, re.M), command
        assert command in runtime(command, "--help").silent().stdout


@pytest.mark.parametrize("words", [["nosuch"], [], ["--nosuch", "list"], ["list", "--nosuch"],
                                   ["create", "--bundle"], ["state", "a", "b"], ["list", "x"]])
def test_wrong_usage(runtime, words):
    result = runtime(*words)
    assert result.status == 1 and result.stdout == ""
    assert len([line for line in result.stderr.splitlines() if line.startswith("usage: ")]) == 1


@pytest.mark.parametrize("words", [["--log-level", "loud"], ["--log-format", "xml"], ["--root", ""],
                                   ["--cgroup-manager", "none"], ["--rootless", "perhaps"]])
def test_values_of_global_options_are_checked(runtime, words):
    runtime(*words, "list").fails(words[0], words[1])


@pytest.mark.parametrize("words", [["--bundle", "B"], ["--bundle=B"], ["-b", "B"], ["-bundle", "B"],
                                   ["-bB"]])
def test_forms_of_options(bundle, runtime, words):
    bundle.args("/bin/true").write()
    runtime("run", *(word.replace("B", str(bundle.path)) if word.endswith("B") else word for word in words),
            "c1").silent()


def test_options_after_the_id(bundle, runtime):
    bundle.args("/bin/true").write()
    runtime("run", "c1", "--bundle", bundle.path).silent()


def test_debug_says_more(bundle, runtime):
    bundle.args("/bin/true").write()
    result = runtime("--debug", "run", "--bundle", bundle.path, "c1").ok()
    assert result.stdout == ""


# ---- the log ----

def test_success_leaves_no_word(bundle, runtime, logged):
    runtime.run(bundle.args("/bin/true")).silent()
    assert logged() == []


def test_a_failure_is_one_object(bundle, runtime, logged):
    bundle.bind("/no/such", "/x")
    result = runtime.create(bundle).fails("mounts[3]", "/no/such")
    entry, = logged()
    assert entry["level"] == "error"
    assert "/no/such" in entry["msg"] and "No such file or directory" in entry["msg"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", entry["time"])
    assert entry["path"].startswith("mounts[3]")
    assert list(entry)[:3] == ["level", "msg", "time"]
    assert result.stderr.startswith("hoy: create c1: ")


def test_many_problems_are_one_object_and_a_line_each(bundle, runtime, logged, scratch):
    """Three errors, two warnings and a hint: podman reads the whole file as one object."""
    bundle.process |= {"cwd": "relative", "umask": "x", "rlimit": []}
    bundle.process["user"]["uid"] = "1000"
    bundle.linux["secomp"] = {}
    bundle.linux["namespaces"].append({"type": "nosuch"})
    result = runtime.create(bundle).fails("process.cwd")
    text = (scratch / "log").read_text()
    entry = json.loads(text)
    assert text.count("\n") == 1
    paths = [problem["path"] for problem in entry["problems"]]
    assert {"process.user.uid", "process.cwd", "linux.namespaces[6].type"} <= set(paths)
    for problem in entry["problems"]:
        assert problem["line"] > 0 and problem["column"] > 0 and problem["msg"]
    assert any("secomp" in str(warning) and "seccomp" in str(warning) for warning in entry["warnings"])
    for path in ("process.user.uid", "process.cwd", "linux.namespaces[6].type"):
        assert len([line for line in result.stderr.splitlines() if path in line]) >= 1
    assert len(result.stderr) <= 4096


def test_a_near_miss_warns_with_its_place(bundle, runtime):
    bundle.linux["secomp"] = {}
    result = runtime.run(bundle.args("/bin/echo", "ok"))
    result.warns("config.json:", "linux.secomp", "did you mean seccomp?")
    assert result.stdout == "ok\n"
    place = re.search(r"config\.json:(\d+):(\d+)", result.stderr)
    line = (bundle.path / "config.json").read_text().splitlines()[int(place[1]) - 1]
    assert "secomp" in line[int(place[2]) - 1:]


def test_a_near_miss_is_an_error_with_strict(bundle, runtime):
    bundle.linux["secomp"] = {}
    runtime.globals.append("--strict")
    runtime.refuses(bundle, "linux.secomp", "did you mean seccomp?")


def test_warnings_go_to_the_log_as_objects(bundle, runtime, logged):
    bundle.linux["secomp"] = {}
    runtime.run(bundle.args("/bin/true")).ok()
    entry, = logged()
    assert entry["level"] == "warning" and entry["path"] == "linux.secomp"


def test_log_level_error_drops_warnings(bundle, runtime, logged):
    bundle.linux["secomp"] = {}
    runtime.globals += ["--log-level", "error"]
    runtime.run(bundle.args("/bin/true")).ok()
    assert logged() == []


def test_the_log_is_appended_to(runtime, scratch):
    log = scratch / "log"
    runtime.globals += ["--log", str(log)]
    for name in ("a", "b"):
        runtime("state", name).fails("does not exist")
    assert len(log.read_text().splitlines()) == 2
    assert stat.S_IMODE(log.stat().st_mode) == 0o644


def test_a_log_that_cannot_be_written(runtime):
    runtime("--log", "/no/such/log", "list").fails("/no/such/log", "No such file or directory")


# ---- the state root ----

def test_the_state_root_is_private(bundle, runtime):
    with runtime.created(bundle, umask=0):
        for path in (runtime.state_root, runtime.state_root / "c1"):
            assert stat.S_IMODE(path.stat().st_mode) == 0o700


def test_a_state_root_that_is_a_link(bundle, runtime, scratch):
    (scratch / "elsewhere").mkdir(0o700)
    os.symlink(scratch / "elsewhere", runtime.state_root)
    bundle.write()
    runtime("create", "--bundle", bundle.path, "c1").fails(str(runtime.state_root))
    assert os.listdir(scratch / "elsewhere") == []
    runtime.state_root.unlink()


# ---- features, spec ----

@req("features.optional", "features.ociVersionMin", "features.ociVersionMax", "features.hooks",
     "features.linux.namespaces", "features.linux.cgroup", "features.linux.seccomp.enabled",
     "features.linux.seccomp.actions", "features.linux.seccomp.operators", "features.unsafe-annotations",
     "features.mountOptions.no-fs-specific", "features.linux.mountExtensions.idmap",
     "features.version-order")
def test_features(runtime):
    features = runtime("features").silent().json
    assert (features["ociVersionMin"], features["ociVersionMax"]) == ("1.0.0", "1.3.0")
    assert features["hooks"] == ["prestart", "createRuntime", "createContainer", "startContainer",
                                 "poststart", "poststop"]
    assert features["mountOptions"] == sorted(features["mountOptions"])
    assert not [word for word in features["mountOptions"] if "=" in word and not word.startswith("idmap")]
    linux = features["linux"]
    assert sorted(linux["namespaces"]) == ["cgroup", "ipc", "mount", "network", "pid", "time", "user",
                                           "uts"]
    assert linux["cgroup"]["v2"] is True and linux["cgroup"]["v1"] is False
    assert linux["seccomp"]["enabled"] is True
    assert {"SCMP_ACT_NOTIFY", "SCMP_ACT_KILL_PROCESS"} <= set(linux["seccomp"]["actions"])
    assert len(linux["seccomp"]["operators"]) == 7
    assert linux["mountExtensions"]["idmap"]["enabled"] in (True, False)
    assert "run.oci." in str(features["potentiallyUnsafeConfigAnnotations"])


@req("features.ociVersionMin", "features.ociVersionMax")
@pytest.mark.parametrize("which", ["ociVersionMin", "ociVersionMax"])
def test_versions_of_features_run(bundle, runtime, which):
    bundle.config["ociVersion"] = runtime("features").json[which]
    assert runtime.run(bundle.args("/bin/echo", "ok")).silent().stdout == "ok\n"


@req("features.compile-time")
def test_features_without_privilege(runtime):
    whole = runtime("features").silent().stdout
    runtime.wrapper = ["setpriv", "--reuid=65534", "--clear-groups", "--inh-caps=-all"]
    runtime.globals = []
    assert runtime("features").silent().stdout == whole


def test_spec(runtime, scratch):
    runtime("spec", cwd=scratch).silent()
    spec = json.loads((scratch / "config.json").read_text())
    assert spec["process"]["args"] == ["sh"] and spec["process"]["terminal"] is True
    assert spec["root"] == {"path": "rootfs", "readonly": True}
    assert [entry["type"] for entry in spec["linux"]["namespaces"]] == ["pid", "network", "ipc", "uts",
                                                                        "mount", "cgroup"]
    runtime("spec", cwd=scratch).fails("config.json", "exists")


def test_spec_rootless(runtime, scratch):
    runtime("spec", "--rootless", "--bundle", scratch).silent()
    spec = json.loads((scratch / "config.json").read_text())
    assert "user" in [entry["type"] for entry in spec["linux"]["namespaces"]]
    assert len(spec["linux"]["uidMappings"]) == 1 and spec["linux"]["uidMappings"][0]["size"] == 1
    assert "resources" not in spec["linux"]
    assert "gid=5" not in str(spec["mounts"])


# ---- broken configurations ----

@req("glossary.json.duplicate-names", "glossary.json.utf8", "config.valid-values.invalid")
@pytest.mark.parametrize("text, words", [
    (b"", ["config.json:1:"]), (b"{", ["config.json:1:"]), (b"[]", ["config.json:1:1"]),
    (b'{"a":1,}', ["config.json:1:7"]), (b'{"a":1} x', ["config.json:1:9"]),
    (b'{"ociVersion":"1.0.0","ociVersion":"1.0.0"}', ["config.json:1:23", "ociVersion"]),
    (b'{"ociVersion":"1.0.\xff0"}', ["config.json:1:"]), (b'{"hostname":"a\\u0000b"}', ["config.json:1:"]),
    (b"[" * 70 + b"]" * 70, ["config.json:1:"]),
    (b'\n\n  {"hostname": 5}', ["config.json:3:", "hostname"])])
def test_broken_files(bundle, runtime, text, words):
    (bundle.path / "config.json").write_bytes(text)
    runtime("create", "--bundle", bundle.path, "c1").fails(*words)
    runtime("state", "c1").fails("does not exist")


def test_a_huge_configuration(bundle, runtime):
    with open(bundle.path / "config.json", "wb") as file:
        file.truncate(100 * 2**20)
    result = runtime("create", "--bundle", bundle.path, "c1").fails("config.json")
    assert result.seconds < 5


def test_a_configuration_that_is_a_directory(bundle, runtime):
    (bundle.path / "config.json").mkdir()
    runtime("create", "--bundle", bundle.path, "c1").fails("config.json", "directory")


def test_a_configuration_from_a_descriptor(bundle, runtime):
    """--config /dev/fd/N: the caller's descriptors are there as long as options are read."""
    text = (bundle.args("/bin/echo", "ok").write() / "config.json").read_bytes()
    (bundle.path / "config.json").unlink()
    read, write = os.pipe()
    os.write(write, text)
    os.close(write)
    try:
        result = runtime("run", "--bundle", bundle.path, "--config", f"/dev/fd/{read}", "c1",
                         pass_fds=[read])
        assert result.silent().stdout == "ok\n"
    finally:
        os.close(read)


@pytest.mark.parametrize("options, is_taken_in", [((), True), (("--no-subreaper",), False)])
def test_orphans_of_the_foreground(bundle, runtime, options, is_taken_in):
    """With the host's pid namespace what the container leaves behind goes to the nearest subreaper."""
    bundle.without_namespace("pid")
    bundle.sh("sh -c 'sh -c \"sleep .5; read a b c parent rest </proc/self/stat; echo \\$parent\" &'; "
              "sleep 2")
    process = runtime.popen("run", "--bundle", bundle.write(), *options, "c1")
    result = runtime.finish(process).ok()
    assert (result.stdout == f"{process.pid}\n") == is_taken_in, (result, process.pid)
    assert result.stdout.strip().isdigit()
