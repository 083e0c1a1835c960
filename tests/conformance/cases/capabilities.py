"""config.md, Linux process, capabilities; posix process, rlimits."""

from suite import case, has, same

NAMES = ("CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE "
         "NET_BIND_SERVICE NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO "
         "SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME "
         "SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE MAC_ADMIN SYSLOG "
         "WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE").split()
SETS = ("bounding", "permitted", "inheritable", "effective", "ambient")
INFINITY = 2**64 - 1


def mask(*names):
    return sum(1 << NAMES.index(name.removeprefix("CAP_")) for name in names)


def own_bounding_set():
    with open("/proc/self/status", encoding="ascii") as file:
        line, = (line for line in file if line.startswith("CapBnd:"))
    return int(line.split()[1], 16)


def seen(t, **sets):
    t.process["capabilities"] = {name: [f"CAP_{word}" for word in words]
                                 for name, words in sets.items()}
    return t.probe("capabilities")["capabilities"]


# Root gets all that is bounding or inheritable by execve(2), so these sets are no smaller for it.
LISTS = {"bounding": ["KILL", "CHOWN", "SETUID"], "permitted": ["KILL", "CHOWN", "SETUID"],
         "inheritable": ["KILL", "CHOWN"], "effective": ["KILL", "CHOWN", "SETUID"],
         "ambient": ["KILL"]}


@case("config.capabilities.{}", each=SETS)
def each_set(t, name):
    same(seen(t, **LISTS)[name], mask(*LISTS[name]))


@case("config.capabilities.ambient", "config.capabilities.effective", "config.capabilities.permitted")
def of_another_user(t):
    """Without ambient capabilities execve(2) leaves none to a user other than root."""
    t.process["user"] = {"uid": 1000, "gid": 1000}
    every = ["KILL", "CHOWN"]
    found = seen(t, **{name: every for name in SETS})
    same(found, {name: mask(*every) for name in SETS})
    found = seen(t, **{name: every for name in SETS if name != "ambient"})
    same((found["effective"], found["permitted"], found["ambient"]), (0, 0, 0))
    same((found["bounding"], found["inheritable"]), (mask(*every),) * 2)


@case("config.capabilities.{}", each=["inheritable", "ambient"])
def an_absent_set_is_empty(t, name):
    same(seen(t, **{word: ["KILL"] for word in SETS if word not in (name, "ambient")})[name], 0)


@case("config.capabilities.bounding", "config.capabilities.permitted", "config.capabilities.effective")
def no_set_at_all(t):
    same(seen(t), dict.fromkeys(SETS, 0))


@case("config.capabilities.names")
def all_names(t):
    every = [name for bit, name in enumerate(NAMES) if own_bounding_set() >> bit & 1]
    found = seen(t, bounding=every, permitted=every, effective=every)
    same((found["bounding"], found["effective"]), (mask(*every),) * 2)


@case("config.capabilities.names", "config.capabilities.ungrantable-no-fail", each=NAMES)
def a_name(t, name):
    if not own_bounding_set() & mask(name):
        found = seen(t, bounding=[name, "KILL"])
        same(found["bounding"], mask("KILL"))
    else:
        same(seen(t, bounding=[name])["bounding"], mask(name))


@case("config.capabilities.unknown-warn")
def unknown(t):
    t.bundle.capabilities("CAP_KILL", "CAP_TEST").args("/bin/probe", "capabilities")
    result = t.runtime.create(t.bundle).ok()
    has("CAP_TEST", result.stderr.upper())


@case("config.capabilities.ungrantable-no-fail")
def lacked_by_the_caller(t):
    t.runtime.wrapper = ["setpriv", "--bounding-set=-sys_time", "--inh-caps=-sys_time"]
    found = seen(t, **{name: ["SYS_TIME", "KILL"] for name in SETS[:4]})
    same((found["bounding"], found["effective"]), (mask("KILL"),) * 2)


@case("config.capabilities.ungrantable-warn")
def lacked_by_the_caller_is_said(t):
    t.runtime.wrapper = ["setpriv", "--bounding-set=-sys_time", "--inh-caps=-sys_time"]
    t.bundle.capabilities("CAP_KILL", "CAP_SYS_TIME").args("/bin/true")
    has("SYS_TIME", t.runtime.create(t.bundle).ok().stderr.upper())


@case("config.capabilities.ambient-consistency")
def ambient_that_is_not_inheritable(t):
    found = seen(t, bounding=["KILL", "CHOWN"], permitted=["KILL", "CHOWN"], effective=["KILL", "CHOWN"],
                 inheritable=["CHOWN"], ambient=["KILL", "CHOWN"])
    same(found["ambient"], mask("CHOWN"))


@case("config.capabilities.absent")
def none(t):
    del t.process["capabilities"]
    first = t.probe("capabilities")["capabilities"]
    same(t.probe("capabilities")["capabilities"], first, "the second time")


# ---- limits ----

def limits(t, *entries):
    t.process["rlimits"] = [{"type": f"RLIMIT_{name}", "soft": soft, "hard": hard}
                            for name, soft, hard in entries]
    return t.probe("rlimits")["rlimits"]


# Lower than what any caller has, and still enough to run.
LIMITS = {"CPU": (100, 200), "FSIZE": (2**30, 2**31), "DATA": (2**30, 2**31), "STACK": (2**22, 2**23),
          "CORE": (0, 0), "RSS": (2**30, 2**31), "NPROC": (1000, 2000), "NOFILE": (100, 200),
          "MEMLOCK": (65536, 65536), "AS": (2**33, 2**34), "LOCKS": (10, 20), "SIGPENDING": (100, 200),
          "MSGQUEUE": (1000, 2000), "NICE": (0, 0), "RTPRIO": (0, 0), "RTTIME": (2**30, 2**31)}


@case("config.rlimits.set", "config.rlimits.type.names", "config.rlimits.soft", "config.rlimits.hard",
      each={name: (name, *pair) for name, pair in LIMITS.items()})
def limit(t, name, soft, hard):
    same(limits(t, (name, soft, hard))[name], [soft, hard])


@case("config.rlimits.set", "config.rlimits.type.names")
def all_limits(t):
    found = limits(t, *((name, *pair) for name, pair in LIMITS.items()))
    same(found, {name: list(pair) for name, pair in LIMITS.items()})


@case("config.rlimits.soft", "config.rlimits.hard", "config.valid-values.int-range")
def infinity(t):
    found = limits(t, ("CPU", INFINITY, INFINITY), ("CORE", 2**63 + 1, INFINITY))
    same((found["CPU"], found["CORE"]), ([INFINITY] * 2, [2**63 + 1, INFINITY]))


@case("config.rlimits.cannot-set")
def above_what_the_caller_may(t):
    t.runtime.wrapper = ["prlimit", "--nproc=100:100", "setpriv", "--bounding-set=-sys_resource",
                         "--inh-caps=-sys_resource"]
    t.process["rlimits"] = [{"type": "RLIMIT_NPROC", "soft": 100, "hard": 200}]
    t.bundle.args("/bin/true")
    t.refused_by_start()
