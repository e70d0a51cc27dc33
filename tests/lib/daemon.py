# SPDX-License-Identifier: Apache-2.0
"""A dayflyd for tests, and what is asked of it over its two faces."""

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import time

from suite import BUILD, DAYFLY_ENV, end, start

DAYFLYD = os.path.join(BUILD, "bin", "dayflyd")
ANSWER = os.path.join(BUILD, "tests", "e2e", "answer")
START = re.compile(r"^dayflyd \S+: http://(\S+):(\d+) · state in (\S+) · /dev/kvm ok$")


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def json(self):
        return json.loads(self.body)

    def code(self):
        return self.json()["error"]["code"]

    def __repr__(self):
        return f"{self.status} {self.body[:300]!r}"


class LocalConnection(http.client.HTTPConnection):
    """HTTP over the daemon's Unix socket."""

    def __init__(self, path, **more):
        super().__init__("dayfly", **more)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Daemon:
    """A dayflyd with a state directory; a context."""

    def __init__(self, state, *flags, listen="127.0.0.1:0"):
        self.state = state
        self.socket = os.path.join(state, "socket")
        self.log = open(os.path.join(state + ".log"), "ab")
        self.process = start([DAYFLYD, "--listen", listen, "--state", state, *flags],
                             env={**DAYFLY_ENV, "XDG_DATA_HOME": os.path.join(os.path.dirname(state), "data"),
                                  "ASAN_OPTIONS": DAYFLY_ENV.get("ASAN_OPTIONS", "") + ":detect_leaks=1",
                                  "XDG_CONFIG_HOME": os.path.join(os.path.dirname(state), "config")},
                             stderr=self.log)
        self.line = self.process.stdout.readline().decode()
        found = START.match(self.line.rstrip("\n"))
        if not found:
            end(self.process)
            raise RuntimeError(f"dayflyd said {self.line!r}: {open(state + '.log').read()[-2000:]}")
        self.host, self.port = found[1], int(found[2])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                pass
        end(self.process)
        self.process.stdout.close()
        self.log.close()

    def connection(self, local=False):
        if local:
            return LocalConnection(self.socket, timeout=40)
        return http.client.HTTPConnection(self.host.strip("[]"), self.port, timeout=40)

    def ask(self, method, path, body=None, headers=None, local=False):
        connection = self.connection(local)
        try:
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            return Answer(answer.status, answer.headers, answer.read())
        finally:
            connection.close()

    def call(self, name, body=b"", headers=None, method="POST"):
        return self.ask(method, f"/fn/{name}", body, headers)

    def deploy(self, name, **config):
        deployment = {"image": ANSWER, "raw_root": True, "features": [], "program": "/answer",
                      "command": ["answer"], **config}
        return self.ask("PUT", f"/functions/{name}", json.dumps(deployment), local=True)

    def processes(self):
        return self.ask("GET", "/processes", local=True).json()["processes"]

    def logs(self, name):
        answer = self.ask("GET", f"/functions/{name}/logs", local=True)
        return [json.loads(line) for line in answer.body.splitlines()]


class Expect:
    """Collects what is wrong; the test fails with the first of it."""

    def __init__(self, suite, name):
        self.suite, self.name, self.wrong = suite, name, []

    def that(self, good, what, detail=""):
        if not good:
            self.wrong.append(f"{what}: {detail}")

    def equal(self, got, want, what):
        self.that(got == want, what, f"{got!r} instead of {want!r}")

    def report(self):
        self.suite.check(self.name, not self.wrong, self.wrong[0] if self.wrong else "", "\n".join(self.wrong[1:]))


def wait_until(condition, seconds=10):
    """Polls, for what has no event to wait for from outside."""
    limit = time.monotonic() + seconds
    while time.monotonic() < limit:
        if condition():
            return True
        time.sleep(0.02)
    return False


def guarded(suite, function, daemon, directory):
    """Runs function(expect, daemon, directory) as the test of its name."""
    expect = Expect(suite, function.__name__)
    try:
        function(expect, daemon, directory)
    except Exception as error:  # a defect of the suite must not hide the other tests
        expect.wrong.append(f"{type(error).__name__}: {error}")
    if function.__name__ not in suite.seen:  # it may have said why it is skipped
        expect.report()
