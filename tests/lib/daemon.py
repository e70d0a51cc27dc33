# SPDX-License-Identifier: Apache-2.0
"""A dayflyd of a test's own, and how it is asked."""

import http.client
import json
import os
import re
import signal
import socket
import subprocess

from suite import BUILD, DAYFLY_ENV, end, start

DAYFLYD = os.path.join(BUILD, "bin", "dayflyd")
ANSWER = os.path.join(BUILD, "tests", "e2e", "answer")
START = re.compile(r"^dayflyd \S+: http://127\.0\.0\.1:(\d+) · state in (\S+) · /dev/kvm ok$")


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

    def __init__(self, state, *flags):
        self.state = state
        self.socket = os.path.join(state, "socket")
        self.log = open(os.path.join(state + ".log"), "ab")
        self.process = start([DAYFLYD, "--listen", "127.0.0.1:0", "--state", state, *flags],
                             env={**DAYFLY_ENV, "XDG_DATA_HOME": os.path.join(os.path.dirname(state), "data"),
                                  "XDG_CONFIG_HOME": os.path.join(os.path.dirname(state), "config")},
                             stderr=self.log)
        self.line = self.process.stdout.readline().decode()
        found = START.match(self.line.rstrip("\n"))
        if not found:
            end(self.process)
            raise RuntimeError(f"dayflyd said {self.line!r}: {open(state + '.log').read()[-2000:]}")
        self.port = int(found[1])

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
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=40)

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
