"""config-linux.md, network devices. The runtime runs in a network where a script has made some."""

from suite import case, document, has, same

# Both ends have to be moved: with the network of the runtime the kernel removes the other one.
VETH = "ip link add hoyt0 type veth peer name hoyt1; ip link set hoyt0 mtu 1400 address 02:00:00:00:00:07"


def in_own_network(t, script):
    t.runtime.wrapper = ["unshare", "--net", "--", "sh", "-ec", f'{script}; exec "$@"', "sh"]


def output(t, *words):
    """What a program prints; start need not know of the runtime's network."""
    created = t.runtime.create(t.bundle.args(*words)).ok()
    t.runtime.wrapper = []
    t.runtime("start", "c1").ok()
    return t.wait_for_output(created)


def seen(t):
    return document(output(t, "/bin/probe", "interfaces"))


@case("linux.netDevices.moved", "linux.netDevices.up", "linux.netDevices.name",
      each={"keep": ({}, "hoyt0"), "rename": ({"name": "ceth0"}, "ceth0"),
            "template": ({"name": "ceth%d"}, "ceth0")})
def network_device(t, value, name):
    in_own_network(t, VETH)
    t.linux["netDevices"] = {"hoyt0": value, "hoyt1": {}}
    same(seen(t)["interfaces"].get(name), "up")


@case("linux.netDevices.keep-attributes", "linux.netDevices.keep-addresses")
def network_device_keeps(t):
    in_own_network(t, f"{VETH}; ip address add 10.9.8.7/24 dev hoyt0; ip link set hoyt0 up")
    t.linux["netDevices"] = {"hoyt0": {}, "hoyt1": {}}
    text = output(t, "/bin/busybox", "ip", "address", "show", "dev", "hoyt0")
    for word in ("mtu 1400", "02:00:00:00:00:07", "10.9.8.7/24"):
        has(word, text)


@case("linux.netDevices.template")
def network_device_template(t):
    in_own_network(t, f"{VETH}; ip link set hoyt1 up")
    t.linux["netDevices"] = {"hoyt0": {"name": "ceth%d"}, "hoyt1": {"name": "ceth%d"}}
    found = seen(t)["interfaces"]
    assert {"ceth0", "ceth1"} <= set(found), found


@case("linux.netDevices.check", each={
    "missing": {"hoyt9": {}}, "lo": {"lo": {}}, "long": {"hoyt0": {"name": "x" * 16}},
    "slash": {"hoyt0": {"name": "a/b"}}, "colon": {"hoyt0": {"name": "a:b"}}})
def network_device_that_cannot_move(t, value):
    in_own_network(t, VETH)
    t.linux["netDevices"] = value
    t.refused()


@case("linux.netDevices.check")
def network_device_without_a_network(t):
    in_own_network(t, VETH)
    t.bundle.without_namespace("network")
    t.linux["netDevices"] = {"hoyt0": {}}
    t.refused()


@case("linux.netDevices.name-clash")
def network_device_name_is_taken(t):
    in_own_network(t, VETH)
    t.linux["netDevices"] = {"hoyt0": {"name": "lo"}}
    t.refused()
