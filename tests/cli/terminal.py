"""A command on its own terminal, read and typed at as a person would."""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import sys
import time
from types import TracebackType

PATIENCE_S = 120.0


class Terminal:
    """`pychain` with these words. As a context manager it is gone at the end."""

    def __init__(self, *words: str) -> None:
        self.seen = ""
        """All that was printed, and what the terminal echoed."""
        self._read = 0
        self._ended = False
        self._pid, self._terminal = pty.fork()
        if self._pid == 0:
            os.environ["TERM"] = "xterm"
            signal.signal(signal.SIGINT, signal.SIG_DFL)  # ignored where the tests run in the background of a shell
            os.execv(sys.executable, [sys.executable, "-m", "pychain", *words])

    def __enter__(self) -> Terminal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        os.close(self._terminal)
        if not self._ended:
            os.kill(self._pid, 9)
            os.waitpid(self._pid, 0)

    def wait_for(self, text: str) -> str:
        """Read on until `text` has come; gives everything since the last time, up to its end."""
        while (found := self.seen.find(text, self._read)) < 0:
            assert self._more(), f"{text!r} did not come:\n{self.seen}"
        since, self._read = self.seen[self._read : found + len(text)], found + len(text)
        return since

    def number(self, after: str = "") -> int:
        """The number that comes next, behind `after`."""
        self.wait_for(after)
        while not (found := re.compile(r"(\d+)\D").match(self.seen, self._read)):
            assert self._more(), self.seen
        return int(found[1])

    def type(self, text: str) -> None:
        """A line."""
        os.write(self._terminal, text.encode() + b"\n")

    def end(self) -> int:
        """Read to the end; the exit code."""
        while self._more():
            pass
        _, status = os.waitpid(self._pid, 0)
        self._ended = True
        return os.waitstatus_to_exitcode(status)

    def _more(self) -> bool:
        """Read what comes next; False when there is nothing more."""
        deadline = time.monotonic() + PATIENCE_S
        while not select.select([self._terminal], [], [], 1.0)[0]:
            assert time.monotonic() < deadline, f"nothing more came:\n{self.seen}"
        try:
            chunk = os.read(self._terminal, 4096)
        except OSError:  # the other end is gone
            return False
        self.seen += chunk.decode(errors="replace").replace("\r\n", "\n")
        return bool(chunk)
