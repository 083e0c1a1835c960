"""config.md, valid values, extensibility, specification version; what each object must have.

A row of REFUSED: the ids, then what is changed in a configuration that works, by path; a change to
GONE takes a member away. With each of them create, or at the latest start, has to fail.
"""

import copy

from suite import Case, add, case, same



class GONE:
    """Stands for a member that is taken away."""


USER_NAMESPACE = {"linux.namespaces": [{"type": name} for name in ("pid", "mount", "ipc", "uts", "user")]}
MAP = {"containerID": 0, "hostID": 100000, "size": 65536}
DEVICE = {"path": "/dev/test", "type": "c", "major": 1, "minor": 3}
LIMIT = {"type": "RLIMIT_NOFILE", "soft": 100, "hard": 100}
RULE = {"names": ["mkdir"], "action": "SCMP_ACT_ERRNO"}
SECCOMP = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [RULE]}
HOOKS = ("prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop")


def less(value, *names):
    return {name: member for name, member in value.items() if name not in names}


def seccomp(**more):
    return {"linux.seccomp": SECCOMP | more}


def rule(**more):
    return {"linux.seccomp": SECCOMP | {"syscalls": [RULE | more]}}


def resource(name, value):
    return {f"linux.resources.{name}": value}


REFUSED = {
    "ociVersion-absent": ("config.ociVersion.required", {"ociVersion": GONE}),
    "ociVersion-text": ("config.ociVersion.semver", {"ociVersion": "invalid"}),
    "ociVersion-short": ("config.ociVersion.semver", {"ociVersion": "1.0"}),
    "ociVersion-v": ("config.ociVersion.semver", {"ociVersion": "v1.0.0"}),
    "ociVersion-number": ("config.ociVersion.semver config.valid-values.invalid", {"ociVersion": 1.0}),
    "ociVersion-2": ("config.ociVersion.unsupported", {"ociVersion": "2.0.0"}),
    "ociVersion-0": ("config.ociVersion.unsupported", {"ociVersion": "0.9.0"}),
    "root-absent": ("config.root.required", {"root": GONE}),
    "root-path-absent": ("config.root.path.required", {"root": {}}),
    "destination-absent": ("config.mounts.destination.required",
                           {"mounts+": {"type": "tmpfs", "source": "tmpfs"}}),
    "cwd-absent": ("config.process.cwd.required", {"process.cwd": GONE}),
    "cwd-relative": ("config.process.cwd.absolute", {"process.cwd": "tmp"}),
    "cwd-empty": ("config.process.cwd.absolute", {"process.cwd": ""}),
    "args-empty": ("config.process.args.nonempty", {"process.args": []}),
    "args-absent": ("config.process.args.nonempty", {"process.args": GONE}),
    "rlimit-type-absent": ("config.rlimits.type.required", {"process.rlimits": [less(LIMIT, "type")]}),
    "rlimit-soft-absent": ("config.rlimits.soft", {"process.rlimits": [less(LIMIT, "soft")]}),
    "rlimit-hard-absent": ("config.rlimits.hard", {"process.rlimits": [less(LIMIT, "hard")]}),
    "rlimit-soft-above-hard": ("config.rlimits.hard", {"process.rlimits": [LIMIT | {"soft": 200}]}),
    "rlimit-twice": ("config.rlimits.duplicate", {"process.rlimits": [LIMIT, LIMIT]}),
    "rlimit-unknown": ("config.rlimits.type.unknown", {"process.rlimits": [LIMIT | {"type": "RLIMIT_TEST"}]}),
    "rlimit-case": ("config.rlimits.type.unknown", {"process.rlimits": [LIMIT | {"type": "rlimit_nofile"}]}),
    "rlimit-short": ("config.rlimits.type.unknown", {"process.rlimits": [LIMIT | {"type": "NOFILE"}]}),
    "rlimit-too-large": ("config.valid-values.int-range", {"process.rlimits": [LIMIT | {"hard": 2**64}]}),
    "oomScoreAdj-high": ("config.oomScoreAdj.range", {"process.oomScoreAdj": 2000}),
    "oomScoreAdj-low": ("config.oomScoreAdj.range", {"process.oomScoreAdj": -2000}),
    "scheduler-policy-absent": ("config.scheduler.policy.required", {"process.scheduler": {"nice": 5}}),
    "scheduler-policy": ("config.scheduler.policy.unknown", {"process.scheduler": {"policy": "SCHED_FOO"}}),
    "scheduler-policy-short": ("config.scheduler.policy.unknown", {"process.scheduler": {"policy": "FIFO"}}),
    "scheduler-flag": ("config.scheduler.flags.unknown", {"process.scheduler": {
        "policy": "SCHED_OTHER", "flags": ["SCHED_FLAG_FOO"]}}),
    "scheduler-nice": ("config.scheduler.invalid-combination", {"process.scheduler": {
        "policy": "SCHED_OTHER", "nice": 40}}),
    "ioPriority-class-absent": ("config.ioPriority.class.required", {"process.ioPriority": {"priority": 4}}),
    "ioPriority-class": ("config.ioPriority.class.unknown", {"process.ioPriority": {
        "class": "IOPRIO_CLASS_NONE", "priority": 4}}),
    "ioPriority-class-short": ("config.ioPriority.class.unknown", {"process.ioPriority": {
        "class": "BE", "priority": 4}}),
    "ioPriority-8": ("config.ioPriority.priority", {"process.ioPriority": {
        "class": "IOPRIO_CLASS_BE", "priority": 8}}),
    "ioPriority--1": ("config.ioPriority.priority", {"process.ioPriority": {
        "class": "IOPRIO_CLASS_BE", "priority": -1}}),
    "affinity-text": ("config.execCPUAffinity.format", {"process.execCPUAffinity": {"initial": "a"}}),
    "affinity-backwards": ("config.execCPUAffinity.format", {"process.execCPUAffinity": {"final": "3-1"}}),
    "affinity-open": ("config.execCPUAffinity.format", {"process.execCPUAffinity": {"final": "0-"}}),
    "uid-absent": ("config.user.uid", {"process.user": {"gid": 0}}),
    "uid-text": ("config.user.uid config.valid-values.invalid", {"process.user": {"uid": "0", "gid": 0}}),
    "gid-negative": ("config.user.gid config.valid-values.invalid", {"process.user": {"uid": 0, "gid": -1}}),
    "uid-too-large": ("config.user.uid config.valid-values.int-range",
                      {"process.user": {"uid": 2**32, "gid": 0}}),
    "uid-fraction": ("config.valid-values.invalid", {"process.user": {"uid": 1.5, "gid": 0}}),
    "terminal-text": ("config.valid-values.invalid", {"process.terminal": "no"}),
    "args-text": ("config.valid-values.invalid", {"process.args": "/bin/true"}),
    "args-number": ("config.valid-values.invalid", {"process.args": ["/bin/true", 1]}),
    "env-object": ("config.valid-values.invalid", {"process.env": {"A": "1"}}),
    "mounts-object": ("config.valid-values.invalid", {"mounts": {}}),
    "root-null": ("config.root.required config.valid-values.invalid", {"root": None}),
    "readonly-text": ("config.valid-values.invalid", {"root.readonly": "true"}),
    "hostname-number": ("config.valid-values.invalid", {"hostname": 7}),
    "linux-list": ("config.valid-values.invalid", {"linux": []}),
    "annotations-list": ("config.annotations.map", {"annotations": ["x"]}),
    "annotations-text": ("config.annotations.map", {"annotations": "x"}),
    "annotations-no-key": ("config.annotations.key.nonempty", {"annotations": {"": "x"}}),
    "annotations-number": ("config.annotations.value.string", {"annotations": {"a": 1}}),
    "annotations-null": ("config.annotations.value.string", {"annotations": {"a": None}}),
    "namespace-type-absent": ("linux.namespaces.type.required", {"linux.namespaces+": {}}),
    "namespace-foo": ("linux.namespaces.type.unknown", {"linux.namespaces+": {"type": "foo"}}),
    "namespace-net": ("linux.namespaces.type.unknown", {"linux.namespaces+": {"type": "net"}}),
    "namespace-mnt": ("linux.namespaces.type.unknown", {"linux.namespaces+": {"type": "mnt"}}),
    "namespace-twice": ("linux.namespaces.duplicate", {"linux.namespaces+": {"type": "ipc"}}),
    "namespace-twice-path": ("linux.namespaces.duplicate",
                             {"linux.namespaces+": {"type": "ipc", "path": "/proc/self/ns/ipc"}}),
    "namespace-path-relative": ("linux.namespaces.path.absolute", {"linux.namespaces": [
        {"type": "mount"}, {"type": "pid"}, {"type": "network", "path": "proc/self/ns/net"}]}),
    "mapping-containerID-absent": ("linux.idMappings.containerID", USER_NAMESPACE | {
        "linux.uidMappings": [less(MAP, "containerID")], "linux.gidMappings": [MAP]}),
    "mapping-hostID-absent": ("linux.idMappings.hostID", USER_NAMESPACE | {
        "linux.uidMappings": [less(MAP, "hostID")], "linux.gidMappings": [MAP]}),
    "mapping-size-absent": ("linux.idMappings.size", USER_NAMESPACE | {
        "linux.uidMappings": [less(MAP, "size")], "linux.gidMappings": [MAP]}),
    "mapping-overlap": ("linux.idMappings.overlap", USER_NAMESPACE | {
        "linux.uidMappings": [MAP, MAP | {"containerID": 5}], "linux.gidMappings": [MAP]}),
    "device-type-absent": ("linux.devices.type.unknown", {"linux.devices": [less(DEVICE, "type")]}),
    "device-type": ("linux.devices.type.unknown", {"linux.devices": [DEVICE | {"type": "x"}]}),
    "device-path-absent": ("linux.devices.path.required", {"linux.devices": [less(DEVICE, "path")]}),
    "device-major-absent": ("linux.devices.majorminor", {"linux.devices": [less(DEVICE, "major")]}),
    "device-minor-absent": ("linux.devices.majorminor", {"linux.devices": [less(DEVICE, "minor")]}),
    "device-mode": ("linux.devices.fileMode config.valid-values.int-range",
                    {"linux.devices": [DEVICE | {"fileMode": 0o1777}]}),
    "device-rule-allow-absent": ("linux.resources.devices.allow", resource("devices", [{"access": "rwm"}])),
    "device-rule-type": ("linux.resources.devices.type", resource("devices", [
        {"allow": False, "type": "x", "access": "rwm"}])),
    "device-rule-access": ("linux.resources.devices.access", resource("devices", [
        {"allow": False, "access": "rx"}])),
    "masked-relative": ("linux.maskedPaths.absolute", {"linux.maskedPaths": ["etc"]}),
    "readonly-relative": ("linux.readonlyPaths.absolute", {"linux.readonlyPaths": ["etc"]}),
    "propagation": ("linux.rootfsPropagation.unknown", {"linux.rootfsPropagation": "foo"}),
    "personality-absent": ("linux.personality.domain.unknown", {"linux.personality": {}}),
    "personality-domain": ("linux.personality.domain.unknown", {"linux.personality": {"domain": "BSD"}}),
    "personality-flags": ("linux.personality.flags config.valid-values.unsupported", {
        "linux.personality": {"domain": "LINUX", "flags": ["ADDR_NO_RANDOMIZE"]}}),
    "memoryPolicy-mode-absent": ("linux.memoryPolicy.mode.required", {"linux.memoryPolicy": {"nodes": "0"}}),
    "memoryPolicy-mode": ("linux.memoryPolicy.mode.unknown", {"linux.memoryPolicy": {"mode": "MPOL_FOO"}}),
    "memoryPolicy-nodes-text": ("linux.memoryPolicy.nodes", {
        "linux.memoryPolicy": {"mode": "MPOL_BIND", "nodes": "x"}}),
    "memoryPolicy-nodes-backwards": ("linux.memoryPolicy.nodes", {
        "linux.memoryPolicy": {"mode": "MPOL_BIND", "nodes": "3-1"}}),
    "memoryPolicy-nodes-absent": ("linux.memoryPolicy.nodes.mode-rules", {
        "linux.memoryPolicy": {"mode": "MPOL_BIND"}}),
    "memoryPolicy-nodes-extra": ("linux.memoryPolicy.nodes.mode-rules", {
        "linux.memoryPolicy": {"mode": "MPOL_DEFAULT", "nodes": "0"}}),
    "memoryPolicy-flag": ("linux.memoryPolicy.flags.unknown", {
        "linux.memoryPolicy": {"mode": "MPOL_BIND", "nodes": "0", "flags": ["MPOL_F_FOO"]}}),
    "seccomp-action-absent": ("linux.seccomp.defaultAction.required", {"linux.seccomp": {}}),
    "seccomp-action": ("linux.seccomp.defaultAction.required", {"linux.seccomp": {"defaultAction": "ALLOW"}}),
    "seccomp-default-errno": ("linux.seccomp.defaultErrnoRet.unsupported", seccomp(defaultErrnoRet=1)),
    "seccomp-arch": ("linux.seccomp.architectures.unknown", seccomp(architectures=["SCMP_ARCH_FOO"])),
    "seccomp-arch-other": ("linux.seccomp.architectures.unknown", seccomp(architectures=["amd64"])),
    "seccomp-flag": ("linux.seccomp.flags.unknown", seccomp(flags=["SECCOMP_FILTER_FLAG_FOO"])),
    "seccomp-metadata": ("linux.seccomp.listenerMetadata.alone", seccomp(listenerMetadata="x")),
    "seccomp-notify": ("linux.seccomp.notify-without-listener", rule(action="SCMP_ACT_NOTIFY")),
    "seccomp-names-empty": ("linux.seccomp.syscalls.names", rule(names=[])),
    "seccomp-names-absent": ("linux.seccomp.syscalls.names", seccomp(syscalls=[less(RULE, "names")])),
    "seccomp-rule-action": ("linux.seccomp.action.unknown", rule(action="SCMP_ACT_FOO")),
    "seccomp-rule-action-absent": ("linux.seccomp.action.unknown", seccomp(syscalls=[less(RULE, "action")])),
    "seccomp-errno-allow": ("linux.seccomp.errnoRet.unsupported", rule(action="SCMP_ACT_ALLOW", errnoRet=1)),
    "seccomp-errno-kill": ("linux.seccomp.errnoRet.unsupported", rule(action="SCMP_ACT_KILL", errnoRet=1)),
    "seccomp-index": ("linux.seccomp.args.index", rule(args=[{"index": 6, "value": 1, "op": "SCMP_CMP_EQ"}])),
    "seccomp-index-absent": ("linux.seccomp.args.index", rule(args=[{"value": 1, "op": "SCMP_CMP_EQ"}])),
    "seccomp-value-absent": ("linux.seccomp.args.value", rule(args=[{"index": 0, "op": "SCMP_CMP_EQ"}])),
    "seccomp-op": ("linux.seccomp.op.unknown", rule(args=[{"index": 0, "value": 1, "op": "SCMP_CMP_FOO"}])),
    "seccomp-op-absent": ("linux.seccomp.op.unknown", rule(args=[{"index": 0, "value": 1}])),
    "closID-slash": ("linux.intelRdt.closID.invalid", {"linux.intelRdt": {"closID": "a/b"}}),
    "closID-up": ("linux.intelRdt.closID.invalid", {"linux.intelRdt": {"closID": ".."}}),
    "memBwSchema": ("linux.intelRdt.memBwSchema.form", {"linux.intelRdt": {"memBwSchema": "L3:0=f"}}),
    "schemata": ("linux.intelRdt.schemata.form", {"linux.intelRdt": {"schemata": ["L3:0=f\nMB:0=20"]}}),
    "rdma-empty": ("linux.rdma.one-of", resource("rdma", {"mlx5_1": {}})),
    "hugepages-limit-absent": ("linux.hugepageLimits.limit", resource("hugepageLimits", [{"pageSize": "2MB"}])),
    "weightDevice-empty": ("linux.blockIO.weightDevice.one-of", resource("blockIO", {
        "weightDevice": [{"major": 8, "minor": 0}]})),
    "throttle-rate-absent": ("linux.blockIO.throttleReadBpsDevice", resource("blockIO", {
        "throttleReadBpsDevice": [{"major": 8, "minor": 0}]})),
    "blockIO-weight": ("linux.blockIO.weight config.valid-values.int-range", resource("blockIO", {
        "weight": 70000})),
    "cpu-idle": ("linux.cpu.idle", resource("cpu", {"idle": 2})),
}
for kind in HOOKS:
    REFUSED |= {
        f"{kind}-path-absent": ("config.hooks.path.required", {f"hooks.{kind}": [{}]}),
        f"{kind}-path-relative": ("config.hooks.path.absolute", {f"hooks.{kind}": [{"path": "bin/true"}]}),
        f"{kind}-timeout-0": ("config.hooks.timeout.positive", {
            f"hooks.{kind}": [{"path": "/bin/cat", "timeout": 0}]}),
        f"{kind}-timeout--1": ("config.hooks.timeout.positive", {
            f"hooks.{kind}": [{"path": "/bin/cat", "timeout": -1}]}),
    }


def change(config, path, value):
    *way, name = path.rstrip("+").split(".")
    for step in way:
        config = config.setdefault(step, {})
    if value is GONE:
        config.pop(name, None)
    elif path.endswith("+"):
        config[name].append(value)
    else:
        config[name] = value


def refused(t, changes):
    t.bundle.args("/bin/true")
    t.config["linux"]["namespaces"] = [{"type": name} for name in ("pid", "mount", "ipc", "uts", "network")]
    for path, value in changes.items():
        change(t.config, path, copy.deepcopy(value))
    t.refused_by_start()


for row, (ids, changes) in REFUSED.items():
    add(Case(f"validity/refused[{row}]", tuple(ids.split()), refused, (changes,)))


@case("op.create.validation", "errors.no-residue")
def what_is_looked_at_first(t):
    """A value that is used last is refused early or late; whichever it is, nothing stays."""
    t.config["hooks"] = {"poststop": [{"path": 7}]}
    t.bundle.args("/bin/true")
    t.refused()


@case("config.ociVersion.compat", "config.ociVersion.semver", each=[
    "1.0.0", "1.0.2", "1.1.0", "1.2.1", "1.3.0", "1.0.2-dev", "1.2.0+x"])
def version(t, value):
    t.config["ociVersion"] = value
    t.runs()


# ---- what nobody knows ----

UNKNOWN = {"x-unknown": {"deep": [1, None, {"deeper": "text", "list": []}], "number": 1.5}}



@case("config.unknown-property.ignored", "config.unknown-property.log", each=[
    "top", "root", "process", "user", "capabilities", "mounts", "linux", "namespaces", "resources",
    "seccomp", "hooks"])
def unknown_members(t, where):
    t.linux["resources"] = {"unified": {}} | (UNKNOWN if where == "resources" else {})
    t.bundle.seccomp({"names": ["mkdir"], "action": "SCMP_ACT_ERRNO"})
    t.mark("poststop", "gone")
    places = {"top": [t.config], "root": [t.config["root"]], "process": [t.process],
              "user": [t.process["user"]], "capabilities": [t.process["capabilities"]],
              "mounts": t.config["mounts"], "linux": [t.linux], "namespaces": t.linux["namespaces"],
              "resources": [], "seccomp": [t.linux["seccomp"], *t.linux["seccomp"]["syscalls"]],
              "hooks": [t.config["hooks"], *t.config["hooks"]["poststop"]]}
    for place in places[where]:
        place.update(UNKNOWN)
    same(t.call(("mkdir", "/x", 0o755)), ["EPERM"])


@case("config.other-platforms")
def other_platforms(t):
    t.config["solaris"] = {"milestone": "svc:/milestone/container:default"}
    t.config["windows"] = {"layerFolders": ["C:\\Layers"]}
    t.config["vm"] = {"kernel": {"path": "/no/such"}}
    t.runs()


@case("linux.intelRdt.old-members")
def old_members(t):
    """They do not make resctrl necessary by themselves, but intelRdt does."""
    t.linux["intelRdt"] = {"closID": "/", "enableCMT": True}
    result = t.runtime.create(t.bundle.args("/bin/true"))
    assert "enableCMT" not in result.stderr, result


# ---- what version 2 of cgroups has no place for ----

IMPOSSIBLE = {
    "swappiness": ("linux.memory.swappiness", "memory", {"swappiness": 10}),
    "kernel": ("linux.memory.kernel", "memory", {"kernel": 50 << 20}),
    "kernelTCP": ("linux.memory.kernelTCP", "memory", {"kernelTCP": 50 << 20}),
    "disableOOMKiller": ("linux.memory.disableOOMKiller", "memory", {"disableOOMKiller": True}),
    "realtimeRuntime": ("linux.cpu.realtime", "cpu", {"realtimeRuntime": 950000}),
    "realtimePeriod": ("linux.cpu.realtime", "cpu", {"realtimePeriod": 1000000}),
    "leafWeight": ("linux.blockIO.leafWeight", "blockIO", {"leafWeight": 300}),
    "classID": ("linux.network.classID", "network", {"classID": 255}),
    "priorities": ("linux.network.priorities", "network", {"priorities": [{"name": "lo", "priority": 1}]}),
}


def refused_if_strict(t, name, value):
    t.strictly()
    t.linux["resources"] = {name: value}
    t.bundle.args("/bin/true")
    t.refused_by_start()


for row, (identity, name, value) in IMPOSSIBLE.items():
    add(Case(f"validity/refused_on_version_2[{row}]", (identity, "linux.unified.conversion-impossible"),
             refused_if_strict, (name, value)))


@case("linux.memory.useHierarchy")
def hierarchy(t):
    t.linux["resources"] = {"memory": {"useHierarchy": True}}
    t.runs()


@case("linux.rdma.hcaHandles", "linux.rdma.hcaObjects", each=["hcaHandles", "hcaObjects"])
def rdma_of_a_device_that_is_not_there(t, name):
    t.linux["resources"] = {"rdma": {"hoytest0": {name: 3}}}
    t.bundle.args("/bin/true")
    t.refused_by_start()


@case("linux.intelRdt.l3CacheSchema.form", each={"prefix": "MB:0=20", "newline": "L3:0=f\nMB:0=9"})
def cache_schema(t, value):
    """Refused or warned of; without resctrl refused in any case."""
    t.linux["intelRdt"] = {"l3CacheSchema": value}
    t.bundle.args("/bin/true")
    result = t.runtime.create(t.bundle)
    assert result.status != 0 or result.stderr, "nothing is said"
