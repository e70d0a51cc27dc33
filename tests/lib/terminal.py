# SPDX-License-Identifier: Apache-2.0
"""A program on a terminal of its own, driven by steps."""

import fcntl
import os
import select
import struct
import subprocess
import termios
import time

from suite import Result, end, shell_status


def set_size(fd, rows, columns):
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


class Terminal:
    """Starts `command` as the leader of a session whose controlling terminal we hold the other end of."""

    def __init__(self, command, env, cwd=None, rows=24, columns=80, seconds=30):
        self.master, slave = os.openpty()
        set_size(self.master, rows, columns)
        # setsid(1) makes the terminal the controlling one and then becomes the command: same process id.
        self.process = subprocess.Popen(["/usr/bin/setsid", "--ctty", "--wait", *command], env=env, cwd=cwd,
                                        stdin=slave, stdout=slave, stderr=slave)
        os.close(slave)
        self.output = b""
        self.seen = 0  # up to where expect() has looked
        self.until = time.monotonic() + seconds

    def _read(self):
        """More output, or False at its end. Raises TimeoutError when the time is up."""
        left = self.until - time.monotonic()
        if left <= 0 or not select.select([self.master], [], [], left)[0]:
            raise TimeoutError
        try:
            block = os.read(self.master, 65536)
        except OSError:  # EIO: the other end is closed
            return False
        self.output += block
        return bool(block)

    def expect(self, text):
        """Waits until the text appears behind what was expected before."""
        while (at := self.output.find(text, self.seen)) < 0:
            if not self._read():
                raise EOFError
        self.seen = at + len(text)

    def send(self, data):
        os.write(self.master, data)

    def resize(self, rows, columns):
        set_size(self.master, rows, columns)

    def finish(self):
        """Waits for the end; the Result holds all output, and the limit if one was met."""
        limit = None
        try:
            while self._read():
                pass
            self.process.wait(max(0.1, self.until - time.monotonic()))
        except (TimeoutError, subprocess.TimeoutExpired):
            limit = "not finished in time"
            end(self.process)
        return Result(shell_status(self.process.returncode), self.output, b"", 0, limit)

    def close(self):
        end(self.process)
        os.close(self.master)


def drive(command, steps, env, **more):
    """Runs a command on a terminal. A step is ("expect", text), ("send", data) or ("resize", rows, columns)."""
    terminal = Terminal(command, env, **more)
    try:
        for action, *values in steps:
            try:
                getattr(terminal, action)(*values)
            except (TimeoutError, EOFError, OSError) as error:
                result = terminal.finish()
                result.limit = f"{type(error).__name__} at step {action} {values}"
                return result
        return terminal.finish()
    finally:
        terminal.close()
