"""Tells what the VM's console says to the host from what the command prints."""

import sys


class Console:
    """Lines for the host begin with a marker: start, then exit STATUS or failed WHY.

    What comes between is the command's output, whose last line may lack its end.
    """

    def __init__(self, marker, live=False):
        """marker: bytes that nothing else prints; live: copy the output to stdout as it comes."""
        self._marker = marker
        self._live = live
        self._pending = b""
        self.started = False
        self.verdict = None  # the words of the last line
        self.boot_output = bytearray()
        self.output = bytearray()

    def feed(self, data):
        """Take what has arrived."""
        self._pending += data
        while self._pending:
            before, marker, after = self._pending.partition(self._marker)
            line, newline, rest = after.partition(b"\n")
            kept = 0 if marker else self._marker_begun(before)
            self._take_output(before[: len(before) - kept])
            self._pending = before[len(before) - kept :] + marker + after
            if not newline:
                return
            self._take_line(line.decode(errors="replace").split())
            self._pending = rest

    def _marker_begun(self, data):
        """Return how many bytes at the end of data may be the beginning of a marker."""
        for size in range(min(len(self._marker), len(data)), 0, -1):
            if data.endswith(self._marker[:size]):
                return size
        return 0

    def _take_output(self, data):
        if not self.started:
            self.boot_output += data
        elif self.verdict is None:
            self.output += data
            if self._live:
                sys.stdout.buffer.write(data)
                sys.stdout.buffer.flush()

    def _take_line(self, words):
        if words == ["start"]:
            self.started = True
        else:
            self.verdict = words
