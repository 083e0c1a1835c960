"""config-linux.md, network devices: veth ends of a network that stands in for the host's."""

import json
import signal
import subprocess

import pytest

from holder import holding
from runtime import wait_until

req = pytest.mark.req
pytestmark = pytest.mark.hoy  # no other runtime of the tests moves devices

ADDRESSES = """
ip link set veth0 mtu 1400 address 02:00:00:00:00:42 alias uplink
ip address add 10.9.8.7/24 dev veth0
ip address add 10.9.8.8/24 dev veth0 label veth0:1
ip address add 2001:db8::7/64 dev veth0 nodad
ip address add 169.254.3.4/16 dev veth0 scope link
ip address add 10.9.9.9/24 dev veth0 valid_lft 4000 preferred_lft 4000
"""


class Host:
    """The network namespace that the runtime runs in."""

    def __init__(self, holder):
        self.holder = holder
        self.enter = ["nsenter", f"--net={holder.path('network')}", "--"]

    def ip(self, *words):
        done = subprocess.run([*self.enter, "ip", "-json", "-details", *words], check=True,
                              capture_output=True, text=True, timeout=10)
        return json.loads(done.stdout or "[]")

    def names(self):
        return {link["ifname"] for link in self.ip("link")}

    def device(self, name="veth0"):
        """All that may not change when a container could not be made."""
        wait_until(lambda: "tentative" not in str(self.ip("address", "show", "dev", name)),
                   "addresses")
        link, = self.ip("address", "show", "dev", name)
        for address in link["addr_info"]:
            # Of an address with a lifetime the seconds go by.
            for key in ("valid_life_time", "preferred_life_time"):
                address[key] //= 100
        for key in ("flags", "operstate", "qdisc", "num_tx_queues"):
            link.pop(key, None)
        routes = self.ip("route", "show", "table", "all", "dev", name)
        return link, sorted(map(str, routes))


@pytest.fixture
def host(runtime):
    """The runtime in a network of its own, with a pair of devices."""
    script = "ip link set lo up; ip link add veth0 type veth peer name peer0; ip link set peer0 up"
    with holding("network", script=script) as holder:
        host = Host(holder)
        runtime.wrapper = host.enter
        yield host


def arrange(host, script):
    subprocess.run([*host.enter, "sh", "-euc", script], check=True, timeout=10)


def inside(bundle, runtime):
    """The devices and addresses that a container sees, a line for each."""
    return runtime.sh(bundle, "ip -o link; ip -o address").silent().stdout


def addresses(text):
    """Interface and address of the lines of `ip -o address`."""
    return {(words[1], words[3]) for words in (line.split() for line in text.splitlines())
            if words[2] in ("inet", "inet6")}


@req("linux.netDevices.moved", "linux.netDevices.name", "linux.netDevices.up")
@pytest.mark.parametrize("entry, name", [({}, "veth0"), ({"name": "ceth0"}, "ceth0"),
                                         ({"name": "eth%d"}, "eth0")])
def test_moved(bundle, runtime, host, entry, name):
    bundle.linux["netDevices"] = {"veth0": entry}
    with runtime.sleeping(bundle) as container:
        text = container.exec("--", "/bin/ip", "-o", "link", "show", name).ok().stdout
        assert "UP" in text.split("<")[1].split(">")[0].split(",")
        assert host.names() == {"lo", "peer0"}


@req("linux.netDevices.moved")
def test_there_before_the_hooks(bundle, runtime, host, scratch):
    bundle.linux["netDevices"] = {"veth0": {"name": "ceth0"}}
    bundle.hook_sh("createContainer", f"ip -o link >{scratch}/seen; chmod 644 {scratch}/seen")
    bundle.args("/bin/true")
    runtime.run(bundle).ok()
    assert "ceth0" in (scratch / "seen").read_text()


@req("linux.netDevices.keep-attributes", "linux.netDevices.keep-addresses")
@pytest.mark.parametrize("name", ["veth0", "ceth0"])
def test_attributes_and_addresses(bundle, runtime, host, name):
    arrange(host, ADDRESSES + "ip link set veth0 up")
    bundle.linux["netDevices"] = {"veth0": {"name": name}}
    with runtime.sleeping(bundle) as container:
        view = ["nsenter", f"--net={container.proc('ns/net')}", "--", "ip", "-json", "-details",
                "address", "show", "dev", name]
        link, = json.loads(subprocess.run(view, check=True, capture_output=True, timeout=10).stdout)
    assert (link["mtu"], link["address"], link["ifalias"]) == (1400, "02:00:00:00:00:42", "uplink")
    found = {(entry["local"], entry["prefixlen"], entry.get("label"))
             for entry in link["addr_info"] if entry["scope"] == "global"}
    assert found == {("10.9.8.7", 24, name), ("10.9.8.8", 24, f"{name}:1"),
                     ("2001:db8::7", 64, None)}
    assert "169.254.3.4" not in str(link)


@req("linux.netDevices.up")
def test_one_that_was_down_is_up(bundle, runtime, host):
    arrange(host, "ip link set veth0 down")
    bundle.linux["netDevices"] = {"veth0": {}}
    assert ",UP" in inside(bundle, runtime).split("veth0")[1].split(">")[0]


def test_several(bundle, runtime, host):
    arrange(host, "ip link add veth1 type veth peer name peer1")
    bundle.linux["netDevices"] = {"veth0": {"name": "veth1"}, "veth1": {"name": "veth0"},
                                  "peer1": {"name": "eth%d"}, "peer0": {"name": "eth%d"}}
    text = inside(bundle, runtime)
    for name in ("veth0", "veth1", "eth0", "eth1"):
        assert f" {name}@" in text


def test_in_a_user_namespace(bundle, runtime, host):
    arrange(host, "ip address add 10.9.8.7/24 dev veth0")
    bundle.user_namespace().linux["netDevices"] = {"veth0": {}}
    assert ("veth0", "10.9.8.7/24") in addresses(inside(bundle, runtime))


@req("linux.netDevices.check")
@pytest.mark.parametrize("devices, words", [
    ({"nosuch0": {}}, ["linux.netdevices.nosuch0", "No such device"]),
    ({"lo": {}}, ["linux.netdevices.lo", "move", "Invalid argument"]),
    ({"veth0": {"name": "aaaaaaaaaaaaaaaa"}}, ["linux.netdevices.veth0.name", "longer than 15"]),
    ({"veth0": {"name": "a/b"}}, ["linux.netdevices.veth0.name", "not the name of an interface"]),
    ({"veth0": {"name": "a:b"}}, ["linux.netdevices.veth0.name", "not the name of an interface"]),
    ({"veth0": {"name": "a%db"}}, ["linux.netdevices.veth0.name", "%d"]),
    ({"veth0": {"name": "eth%s"}}, ["linux.netdevices.veth0.name", "%d"]),
    ({"veth0": {"name": "x0"}, "peer0": {"name": "x0"}}, ["linux.netdevices.peer0", "x0", "veth0"]),
    ({"": {}}, ["linux.netdevices", "not the name of an interface"]),
])
def test_refused(bundle, runtime, host, devices, words):
    bundle.linux["netDevices"] = devices
    before = host.device()
    runtime.refuses(bundle, *words)
    assert host.device() == before


@req("linux.netDevices.check")
def test_no_network_namespace(bundle, runtime, host):
    bundle.without_namespace("network").linux["netDevices"] = {"veth0": {}}
    runtime.refuses(bundle, "linux.netdevices", "needs a network namespace")


@req("linux.netDevices.check")
def test_the_hosts_network_by_its_path(bundle, runtime, host):
    bundle.namespace("network", host.holder.path("network"))
    bundle.linux["netDevices"] = {"veth0": {}}
    runtime.refuses(bundle, "linux.netdevices", "that of the host")
    assert "veth0" in host.names()


@req("linux.netDevices.name-clash", "linux.netDevices.error-restores")
def test_name_clash(bundle, runtime, host):
    arrange(host, ADDRESSES + "ip link set veth0 up")
    before = host.device()
    with holding("network", script="ip link add eth0 type veth peer name other") as joined:
        bundle.namespace("network", joined.path("network"))
        bundle.linux["netDevices"] = {"veth0": {"name": "eth0"}}
        runtime.refuses(bundle, "linux.netdevices.veth0", "eth0", "File exists")
        assert host.device() == before


@req("linux.netDevices.template")
def test_template(bundle, runtime, host):
    with holding("network", script="ip link add eth0 type veth peer name other") as joined:
        bundle.namespace("network", joined.path("network"))
        bundle.linux["netDevices"] = {"veth0": {"name": "eth%d"}}
        text = inside(bundle, runtime)
    assert " eth1@" in text and " veth0@" not in text


def test_its_own_name_is_taken_there(bundle, runtime, host):
    with holding("network", script="ip link add veth0 type veth peer name other") as joined:
        bundle.namespace("network", joined.path("network"))
        bundle.linux["netDevices"] = {"veth0": {"name": "ceth0"}}
        assert " ceth0@" in inside(bundle, runtime)


@req("linux.netDevices.error-restores")
@pytest.mark.parametrize("is_up", [False, True])
def test_back_when_a_later_step_fails(bundle, runtime, host, is_up):
    arrange(host, ADDRESSES)
    if is_up:
        arrange(host, """
            ip link set veth0 up
            ip route add 192.0.2.0/24 via 10.9.8.1 dev veth0 metric 7
            ip -6 route add 2001:db8:1::/48 via 2001:db8::1 dev veth0""")
    before = host.device()
    bundle.linux["netDevices"] = {"veth0": {"name": "ceth0"}, "peer0": {"name": "veth0"}}
    runtime.refuses(bundle.args("/no/such"), "/no/such", status=127)
    assert host.device() == before
    assert host.names() == {"lo", "veth0", "peer0"}


@req("linux.netDevices.error-restores")
def test_back_when_the_next_one_fails(bundle, runtime, host):
    arrange(host, ADDRESSES)
    before = host.device()
    bundle.linux["netDevices"] = {"veth0": {"name": "ceth0"}, "nosuch0": {}}
    runtime.refuses(bundle, "linux.netdevices.nosuch0", "No such device")
    assert host.device() == before


@req("linux.netDevices.error-restores")
def test_back_when_the_runtime_is_killed(bundle, runtime, host, scratch):
    """The namespace with the device in it would vanish, and a veth with it."""
    arrange(host, ADDRESSES)
    before = host.device()
    bundle.linux["netDevices"] = {"veth0": {"name": "ceth0"}}
    bundle.hook_sh("createRuntime", f"ip -o link >{scratch}/links; kill -9 $PPID")
    assert runtime.create(bundle).status == -signal.SIGKILL
    assert "veth0" not in (scratch / "links").read_text()
    wait_until(lambda: "veth0" in host.names(), "the device")
    wait_until(lambda: host.device() == before, "its addresses")
    runtime("delete", "--force", "c1").ok()


@req("linux.netDevices.no-management", "linux.netDevices.no-move-back")
def test_left_alone_afterwards(bundle, runtime, host):
    with holding("network") as joined:
        bundle.namespace("network", joined.path("network"))
        bundle.linux["netDevices"] = {"veth0": {}}
        with runtime.sleeping(bundle):
            arrange(Host(joined), "ip address add 10.1.1.1/24 dev veth0; ip link set veth0 mtu 1300")
        link, = Host(joined).ip("address", "show", "dev", "veth0")
        assert link["mtu"] == 1300
        assert "10.1.1.1" in str(link["addr_info"])
        assert "veth0" not in host.names()


def test_no_devices(bundle, runtime, host):
    bundle.linux["netDevices"] = {}
    runtime.run(bundle.args("/bin/true")).silent()
    assert "veth0" in host.names()
