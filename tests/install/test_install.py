"""`hoy install`: what each engine's files become, that a second time changes nothing, and --undo."""

import json
import os
import subprocess
import tomllib
from pathlib import Path

import pytest

TOP = Path(__file__).resolve().parents[2]
EXAMPLES = TOP / "contrib/engines"
HOY = os.path.realpath(os.environ.get("HOY", TOP / "build/test-gcc/src/hoy"))

PODMAN = "etc/containers/containers.conf.d"
CONTAINERD = "etc/containerd/config.toml"
CRIO = "etc/crio/crio.conf.d"
DOCKER = "etc/docker/daemon.json"
DOCKER_SERVICE = "etc/systemd/system/docker.service.d/50-hoy.conf"
ENGINES = ("podman", "containerd", "crio", "docker")
RUNC = "io.containerd.runc.v2"
SECTIONS = {2: "io.containerd.grpc.v1.cri", 3: "io.containerd.cri.v1.runtime"}

# What `containerd config default` prints is of this form.
CONTAINERD_DEFAULT = """version = 3
root = '/var/lib/containerd'
imports = []

[plugins]
  [plugins.'io.containerd.cri.v1.images']
    snapshotter = 'overlayfs'

  [plugins.'io.containerd.cri.v1.runtime']
    enable_selinux = false

    [plugins.'io.containerd.cri.v1.runtime'.containerd]
      default_runtime_name = 'runc' # as ever
      ignore_blockio_not_enabled_errors = false

      [plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes]
        [plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc]
          runtime_type = 'io.containerd.runc.v2'

          [plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc.options]
            SystemdCgroup = true

[timeouts]
  'io.containerd.timeout.task.state' = '2s'
"""
# What Debian's package brings.
CONTAINERD_DEBIAN = """version = 2

[plugins]
  [plugins."io.containerd.grpc.v1.cri"]
    [plugins."io.containerd.grpc.v1.cri".cni]
      bin_dir = "/usr/lib/cni"
      conf_dir = "/etc/cni/net.d"
  [plugins."io.containerd.internal.v1.opt"]
    path = "/var/lib/containerd"
"""


class Root:
    """A copy of a system's files to install into."""

    def __init__(self, path):
        self.path = path

    def __call__(self, *words, status=0):
        done = subprocess.run([HOY, "install", "--root", self.path, *words], check=False,
                              capture_output=True, text=True, timeout=20,
                              env={"PATH": "/nonexistent"})
        assert done.returncode == status, done
        return done.stdout if status == 0 else done.stderr

    def write(self, name, text, mode=0o644):
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(mode)
        return path

    def read(self, name):
        return (self.path / name).read_text()

    def toml(self, name):
        return tomllib.loads(self.read(name))

    def json(self, name=DOCKER):
        return json.loads(self.read(name))

    def tree(self):
        """All there is: names, modes, bytes."""
        return {str(path.relative_to(self.path)): (path.lstat().st_mode, path.is_file()
                                                   and path.read_bytes())
                for path in self.path.rglob("*")}


@pytest.fixture
def root(tmp_path):
    return Root(tmp_path)


def example(name):
    return (EXAMPLES / name).read_text().replace("/usr/bin/hoy", HOY)


# ---- what is written ----

@pytest.mark.parametrize("engine, written, name", [
    ("podman", f"{PODMAN}/50-hoy.conf", "podman/50-hoy.conf"),
    ("podman", f"{PODMAN}/51-hoy-default.conf", "podman/51-hoy-default.conf"),
    ("containerd", CONTAINERD, "containerd/config-v2.toml"),
    ("crio", f"{CRIO}/50-hoy.conf", "crio/50-hoy.conf"),
    ("crio", f"{CRIO}/51-hoy-default.conf", "crio/51-hoy-default.conf"),
    ("docker", DOCKER, "docker/daemon.json"),
    ("docker", DOCKER_SERVICE, "docker/50-hoy.conf"),
])
def test_examples_are_what_is_written(root, engine, written, name):
    assert f"made: {root.path}/{written}\n" in root(engine)
    assert root.read(written) == example(name)
    assert (root.path / written).stat().st_mode & 0o7777 == 0o644


def test_the_example_of_version_3_is_what_is_written(root):
    root.write(CONTAINERD, "version = 3\n")
    assert root("containerd") == f"changed: {root.path}/{CONTAINERD}\n"
    assert root.read(CONTAINERD) == example("containerd/config-v3.toml")


def test_podman(root):
    root("podman")
    engine = root.toml(f"{PODMAN}/50-hoy.conf")["engine"]
    assert engine["runtimes"] == {"hoy": [HOY]}
    assert {"hoy", "crun", "runc"} <= set(engine["runtime_supports_json"])
    assert {"hoy", "crun"} <= set(engine["runtime_supports_nocgroup"])
    assert root.toml(f"{PODMAN}/51-hoy-default.conf") == {"engine": {"runtime": "hoy"}}


def test_crio(root):
    root("crio")
    runtime = root.toml(f"{CRIO}/50-hoy.conf")["crio"]["runtime"]["runtimes"]["hoy"]
    assert runtime == {"runtime_path": HOY, "runtime_type": "oci", "runtime_root": "/run/hoy"}
    assert root.toml(f"{CRIO}/51-hoy-default.conf") == {
        "crio": {"runtime": {"default_runtime": "hoy"}}}


def test_docker(root):
    root("docker")
    assert root.json() == {"runtimes": {"hoy": {"path": HOY}}, "default-runtime": "hoy"}
    assert f"\nEnvironment=DOCKER_BUILDKIT_RUNC_COMMAND={HOY}\n" in root.read(DOCKER_SERVICE)


@pytest.mark.parametrize("text, version", [(None, 2), (CONTAINERD_DEBIAN, 2),
                                           (CONTAINERD_DEFAULT, 3)])
def test_containerd(root, text, version):
    if text:
        root.write(CONTAINERD, text)
    root("containerd")
    config = root.toml(CONTAINERD)
    containerd = config["plugins"][SECTIONS[version]]["containerd"]
    assert config["version"] == version
    assert containerd["default_runtime_name"] == "hoy"
    assert containerd["runtimes"]["runc"]["runtime_type"] == RUNC
    systemd = text == CONTAINERD_DEFAULT
    assert containerd["runtimes"]["hoy"] == {
        "runtime_type": RUNC, "options": {"BinaryName": HOY, "SystemdCgroup": systemd}}
    # All else stays.
    before = tomllib.loads(text or "version = 2")
    for section in (before, before.get("plugins", {}), before.get("plugins", {}).get(
            SECTIONS[version], {})):
        for key, value in section.items():
            assert value == "runc" or key in ("plugins", "containerd", SECTIONS[version]) or \
                value in [where.get(key) for where in (
                    config, config["plugins"], config["plugins"][SECTIONS[version]])]


def test_a_runtime_class_names_the_handler_that_is_installed(root):
    yaml = pytest.importorskip("yaml")
    document = yaml.safe_load((EXAMPLES / "kubernetes/runtimeclass.yaml").read_text())
    assert document["apiVersion"] == "node.k8s.io/v1" and document["kind"] == "RuntimeClass"
    root("crio")
    assert document["handler"] in root.toml(f"{CRIO}/50-hoy.conf")["crio"]["runtime"]["runtimes"]


# ---- not the default ----

def test_without_default(root):
    root.write(CONTAINERD, CONTAINERD_DEFAULT)
    root.write(DOCKER, '{ "default-runtime": "crun" }\n')
    for engine in ENGINES:
        root(engine, "--no-default")
    containerd = root.toml(CONTAINERD)["plugins"][SECTIONS[3]]["containerd"]
    assert containerd["default_runtime_name"] == "runc" and "hoy" in containerd["runtimes"]
    assert root.json() == {"default-runtime": "crun", "runtimes": {"hoy": {"path": HOY}}}
    assert not (root.path / DOCKER_SERVICE).exists()
    for directory in (PODMAN, CRIO):
        assert os.listdir(root.path / directory) == ["50-hoy.conf"]


@pytest.mark.parametrize("engine", ENGINES)
def test_the_default_can_be_taken_back_and_given_again(root, engine):
    root(engine)
    with_default = root.tree()
    root(engine, "--no-default")
    assert root.tree() != with_default
    root(engine)
    assert root.tree() == with_default


# ---- again, dry, and back ----

BEFORE = {
    "nothing": {},
    "drop-ins": {f"{PODMAN}/10-mine.conf": "[engine]\n", f"{CRIO}/10-mine.conf": "# mine\n"},
    "same names": {f"{PODMAN}/50-hoy.conf": "# mine\n", f"{CRIO}/51-hoy-default.conf": "# mine\n",
                   DOCKER_SERVICE: "[Service]\n"},
    "containerd: Debian's": {CONTAINERD: CONTAINERD_DEBIAN},
    "containerd: its default": {CONTAINERD: CONTAINERD_DEFAULT},
    "containerd: no line feed at the end": {CONTAINERD: CONTAINERD_DEFAULT.rstrip("\n")},
    "containerd: the header is the end": {
        CONTAINERD: f'version = 2\n[plugins."{SECTIONS[2]}".containerd]'},
    "containerd: the default is the end": {
        CONTAINERD: f'version = 2\n[ plugins . "{SECTIONS[2]}" . containerd ] # x\n'
                    "default_runtime_name='x'"},
    "containerd: hoy is there": {
        CONTAINERD: f'version = 2\n[plugins."{SECTIONS[2]}".containerd.runtimes.hoy]\n'
                    '  runtime_type = "x"\n'},
    "containerd: lines of DOS": {CONTAINERD: CONTAINERD_DEBIAN.replace("\n", "\r\n")},
    "docker: empty": {DOCKER: ""},
    "docker: blank": {DOCKER: " \n"},
    "docker: an empty object": {DOCKER: "{}"},
    "docker: an empty object of two lines": {DOCKER: "{\n}\n"},
    "docker: one line": {DOCKER: '{"debug": true}'},
    "docker: tabs": {DOCKER: '{\n\t"debug":true,\n\t"log-opts":{"max-size":"1m"}\n}'},
    "docker: runtimes": {DOCKER: '{\n  "runtimes": {\n    "crun": {\n      "path": "crun"\n    }\n'
                                 '  },\n  "default-runtime": "crun",\n  "hosts": []\n}\n'},
    "docker: no runtimes": {DOCKER: '{ "runtimes": { } }\n'},
    "docker: hoy is there": {DOCKER: '{"runtimes": {"hoy": {"path": "/opt/hoy",\n"x": []}}}'},
    "docker: strange strings": {DOCKER: '{"a": "}\\\\\\"{", "default-runtime" :\n"runtimes"}'},
}


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("files", BEFORE.values(), ids=BEFORE)
def test_again_dry_and_back(root, files, engine):
    for name, text in files.items():
        with open(root.write(name, "", mode=0o640), "w", newline="") as file:
            file.write(text)
    before = root.tree()

    dry = root(engine, "--dry-run")
    assert root.tree() == before
    said = root(engine)
    after = root.tree()
    assert after != before
    for line in said.splitlines():
        assert line.replace("made: ", "would make: ").replace(
            "changed: ", "would change: ") in dry.splitlines()

    again = root(engine)
    assert all(line.startswith("unchanged: ") for line in again.splitlines())
    assert root.tree() == after
    assert root(engine, "--dry-run") == again

    dry = root(engine, "--undo", "--dry-run")
    assert "would re" in dry and root.tree() == after
    root(engine, "--undo")
    assert root.tree() == before
    assert root(engine, "--undo") == f"nothing to undo: hoy is not installed for {engine}\n"
    assert root.tree() == before


def test_all_engines_at_once(root):
    for engine in ENGINES:
        root(engine)
    for engine in ENGINES:
        root(engine, "--undo")
    assert [path for path in root.path.rglob("*") if path.is_file() or "hoy" in path.name] == []


@pytest.mark.parametrize("text", [text for files in BEFORE.values()
                                  for name, text in files.items() if name == DOCKER])
def test_docker_keeps_what_is_there(root, text):
    root.write(DOCKER, text)
    root("docker")
    before, after = json.loads(text.strip() or "{}"), root.json()
    assert after["runtimes"]["hoy"] == {"path": HOY} and after["default-runtime"] == "hoy"
    expected = before | {"default-runtime": "hoy",
                         "runtimes": before.get("runtimes", {}) | {"hoy": {"path": HOY}}}
    assert after == expected


def test_docker_keeps_the_layout(root):
    root.write(DOCKER, '{\n\t"debug":true,\n\t"runtimes" : {\n\t\t"x":{"path":"x"}}\n}')
    root("docker")
    assert root.read(DOCKER) == (
        '{\n\t"debug":true,\n\t"runtimes" : {\n\t\t"x":{"path":"x"},\n\t\t"hoy": { "path": '
        f'"{HOY}" }}}},\n\t"default-runtime": "hoy"\n}}')


# ---- changed since ----

def test_docker_changed_since(root):
    root.write(DOCKER, '{\n  "default-runtime": "crun",\n  "runtimes": {"crun": {"path": "c"}}\n}\n')
    root("docker")
    changed = root.read(DOCKER).replace("{\n", '{\n  "debug": true,\n', 1)
    root.write(DOCKER, changed)
    assert root("docker").splitlines()[0].startswith("unchanged")
    root("docker", "--undo")
    assert root.json() == {"debug": True, "default-runtime": "crun",
                           "runtimes": {"crun": {"path": "c"}}}
    assert os.listdir(root.path / "etc/docker") == ["daemon.json"]


def test_docker_made_and_changed_since(root):
    root("docker")
    root.write(DOCKER, json.dumps(root.json() | {"debug": True}))
    root("docker", "--undo")
    assert root.json() == {"debug": True}


def test_containerd_changed_since(root):
    root.write(CONTAINERD, CONTAINERD_DEFAULT)
    root("containerd")
    root.write(CONTAINERD, "# new\n" + root.read(CONTAINERD) + "\n[x]\ny = 1\n")
    root("containerd", "--undo")
    assert root.read(CONTAINERD) == "# new\n" + CONTAINERD_DEFAULT + "\n[x]\ny = 1\n"


def test_hoy_has_moved(root):
    """A program at another path is installed over the one before, and --undo is still exact."""
    root.write(DOCKER, '{"runtimes": {}}\n')
    before = root.tree()
    root("docker")
    moved = root.write("opt/hoy", "")
    moved.unlink()
    os.link(HOY, moved) if os.stat(HOY).st_dev == os.stat(root.path).st_dev else \
        moved.write_bytes(Path(HOY).read_bytes())
    moved.chmod(0o755)
    done = subprocess.run([moved, "install", "docker", "--root", root.path], check=True, text=True,
                          capture_output=True)
    assert done.stdout.startswith("changed: ")
    # What lies below the root is named as seen from there.
    assert root.json()["runtimes"]["hoy"] == {"path": "/opt/hoy"}
    moved.unlink()
    moved.parent.rmdir()
    root("docker", "--undo")
    assert root.tree() == before


# ---- refusals: nothing is written ----

REFUSED = [
    ("containerd", CONTAINERD, "", "is of version 1"),
    ("containerd", CONTAINERD, 'disabled_plugins = ["cri"]\n', "is of version 1"),
    ("containerd", CONTAINERD, "version = 9\n", "version that hoy does not know"),
    ("containerd", CONTAINERD, f'version = 2\nplugins = {{"{SECTIONS[2]}" = {{}}}}\n',
     "in another form"),
    ("containerd", CONTAINERD, f'version = 2\n[plugins]\n"{SECTIONS[2]}" = {{}}\n',
     "in another form"),
    ("containerd", CONTAINERD, f'version = 2\n[plugins."{SECTIONS[2]}"]\n'
     'containerd.default_runtime_name = "runc"\n', "in another form"),
    ("containerd", CONTAINERD, 'version = 2\nx = """\n[plugins]\n"""\n', "strings of several lines"),
    ("docker", DOCKER, "[]", "holds no object"),
    ("docker", DOCKER, '{"runtimes": []}', "runtimes is no object"),
    ("docker", DOCKER, '{"a": 1,}', "daemon.json"),
    ("docker", DOCKER, '{"a": 1, "a": 2}', "daemon.json"),
    ("docker", DOCKER, '{"\\u0072untimes": {}}', "names with escapes"),
]


@pytest.mark.parametrize("engine, name, text, words", REFUSED)
def test_what_cannot_be_changed_safely_is_refused(root, engine, name, text, words):
    root.write(name, text)
    before = root.tree()
    assert words in root(engine, status=1)
    assert root.tree() == before


def test_a_symlink_is_not_replaced(root):
    root.write("srv/daemon.json", "{}")
    (root.path / "etc/docker").mkdir(parents=True)
    (root.path / DOCKER).symlink_to("/srv/daemon.json")
    before = root.tree()
    assert "symbolic link" in root("docker", status=1)
    assert root.tree() == before


def test_symlinks_do_not_lead_out_of_the_root(root, tmp_path_factory):
    outside = tmp_path_factory.mktemp("outside")
    (root.path / "etc").mkdir()
    (root.path / "etc/docker").symlink_to(outside)
    root("docker", status=1)
    assert os.listdir(outside) == []


@pytest.mark.parametrize("words, message", [
    ([], "the engine's name is missing"),
    (["lxc"], 'unknown engine "lxc"'),
    (["podman", "docker"], "one argument too many"),
])
def test_wrong_usage(root, words, message):
    said = root(*words, status=1)
    assert message in said and "usage: hoy [OPTION...] install [OPTION...] podman|containerd|crio|docker" in said


def test_a_root_that_is_not_there(tmp_path):
    assert "No such file or directory" in Root(tmp_path / "none")("podman", status=1)


def test_what_is_left_to_do_is_said():
    """On the system itself: nothing is written by a dry run."""
    done = subprocess.run([HOY, "install", "docker", "--dry-run"], check=True, text=True,
                          capture_output=True)
    assert done.stdout.endswith("then run: systemctl daemon-reload && systemctl restart docker\n")
