"""Block devices: throttled ones are slow."""

import pytest

from limits import MB, Stopwatch, device_number, limit, loop_device

READ = "dd if=/dev/disk of=/dev/null bs=64k count=96 iflag=direct"


@pytest.mark.req("linux.blockIO.throttleReadBpsDevice", "linux.blockIO.throttleReadIOPSDevice",
                 "linux.devices.only-listed", "linux.resources.devices.allow")
@pytest.mark.parametrize("throttle", ["throttleReadBpsDevice", "throttleReadIOPSDevice"])
def test_a_throttled_device_is_slow(bundle, runtime, scratch, throttle):
    """6 MB take 6 s at 1 MB/s, and so do 96 reads at 16 a second: more than a busy machine costs."""
    rate = MB if throttle == "throttleReadBpsDevice" else 16
    with loop_device(scratch / "disk", 8 * MB) as disk:
        number = device_number(disk)
        bundle.linux["devices"] = [{"path": "/dev/disk", "type": "b", **number}]
        allowed = [{"allow": False, "access": "rwm"},
                   {"allow": True, "type": "b", "access": "r", **number}]
        seconds = {}
        for name, io in (("free", {}), ("throttled", {throttle: [{**number, "rate": rate}]})):
            limit(bundle, devices=allowed, blockIO=io)
            with runtime.running(bundle.sh(f"{READ}; echo done $?"), name=name) as container, \
                    Stopwatch() as watch:
                container.wait()
            assert container.output == "done 0\n", container.created
            seconds[name] = watch.seconds
    assert seconds["throttled"] >= 4 and seconds["throttled"] >= 2 * seconds["free"], seconds
