# SPDX-License-Identifier: Apache-2.0
"""What the benchmarks measure with: programs and their output, medians of sides in turn, events, a daemon of their own."""

import base64
import contextlib
import http.client
import json
import os
import re
import shutil
import socket
import statistics
import subprocess
import time

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BUILD = os.path.join(TOP, os.environ.get("BUILD", "build"))
DAYFLY = os.path.join(BUILD, "bin", "dayfly")
MONITOR = os.path.join(BUILD, "bin", "dayfly-monitor")


class Failed(Exception):
    """A side that could not be measured, and why."""


def program(name):
    return os.path.join(BUILD, "bench", "bench-" + name)


def output(command):
    """What a command prints; it must exit with 0."""
    try:
        got = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Failed(str(error)) from None
    if got.returncode != 0:
        last = (got.stderr.strip().splitlines() or ["(nothing on standard error)"])[-1]
        raise Failed(f"{os.path.basename(command[0])} ended with status {got.returncode}: {last}")
    return got


def number(command):
    """The number that a measured program prints about itself."""
    return float(output(command).stdout)


def in_turn(rounds, *sides):
    """Calls the sides in turn, once unmeasured, then `rounds` times. Gives the median of each."""
    for side in sides:
        side()
    seen = [[side() for side in sides] for _ in range(rounds)]
    return [statistics.median(column) for column in zip(*seen)]


def dayfly(*arguments):
    return [DAYFLY, "run", *arguments]


def stats(*arguments):
    """The line that `dayfly run --stats` prints about a run."""
    lines = [line for line in output(dayfly("--stats", *arguments)).stderr.splitlines() if " · " in line]
    if not lines:
        raise Failed("--stats printed no line")
    return lines[-1]


def in_stats(line, name):
    """The amount that stands after `name` in a line of stats, in nanoseconds or bytes."""
    found = re.search(rf"\b{name} ([0-9.]+) (\S+)", line)
    units = {"ns": 1, "us": 1e3, "µs": 1e3, "ms": 1e6, "s": 1e9, "B": 1, "KiB": 1024, "MiB": 1 << 20}
    if not found or found[2] not in units:
        raise Failed(f"no amount named '{name}' in: {line}")
    return float(found[1]) * units[found[2]]


def wall(rounds, *commands, stdin=None):
    """Median wall times in nanoseconds of whole commands, run in turn."""
    line = [program("wall"), str(rounds)] + ([stdin] if stdin else [])
    for command in commands:
        line += ["--", *command]
    return [float(text) for text in output(line).stdout.split()]


def tool(name):
    path = shutil.which(name)
    if not path:
        raise Failed(f"{name} is not installed (scripts/deps bench)")
    return path


# Events. A snapshot is made once per run of the benchmarks, the programs beside it get the same input.

EVENTS = 3000
SNAPSHOTS = {}


def scratch(name, content=None):
    """A file of the benchmarks."""
    path = os.path.join(BUILD, "bench", name)
    if content is not None:
        with open(path, "wb") as f:
            f.write(content)
    return path


def body():
    return scratch("body-100", b"x" * 99 + b"\n")


def snapshot(name, *arguments, event=None):
    """The snapshot file of a program, frozen with the rehearsal that its events are."""
    if name not in SNAPSHOTS:
        path = scratch(name + ".snap")
        output([DAYFLY, "freeze", "-o", path, "--event", event or body(), *arguments])
        SNAPSHOTS[name] = path
    return SNAPSHOTS[name]


def events(path, event=None, count=EVENTS, cpus=("0", "0")):
    """What events cost, slot to slot: the numbers of bench-event."""
    return json.loads(output([program("event"), MONITOR, path, str(count), event or body(), *cpus]).stdout)


def bare_exit():
    return number(["taskset", "-c", "0", program("bare"), "exit"])


def events_beside_exit(rounds, path, **how):
    """Medians of p50 and p99 of events, of what thawing takes in them, and of a bare exit, measured in turn."""
    seen = [(events(path, **how), bare_exit()) for _ in range(rounds)]
    return [statistics.median(event[key] for event, _ in seen) for key in ("p50", "p99", "thaw_p50")] + [
        statistics.median(bare for _, bare in seen)]


def echo():
    return snapshot("echo", program("echo"))


def memory_of(pid, file, *keys):
    """The sum of these keys of a file of /proc/PID, in bytes."""
    with open(f"/proc/{pid}/{file}") as f:
        found = [line.split() for line in f]
    return sum(int(words[1]) * 1024 for words in found if words[0].rstrip(":") in keys)


def below(pid):
    """All processes below this one. Threads and processes that end meanwhile are not counted."""
    found = []
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        for task in os.listdir(f"/proc/{pid}/task"):
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                with open(f"/proc/{pid}/task/{task}/children") as f:
                    for word in f.read().split():
                        found += [int(word), *below(word)]
    return found


PREPARED = 2  # monitors, by default


class Daemon:
    """A dayflyd of the benchmarks: on free ports, its state below the build folder."""

    def __init__(self, *flags, fresh=True):
        self.flags, self.fresh, self.state = flags, fresh, scratch("state")
        self.credentials = os.path.join(self.state, "credentials")

    def __enter__(self):
        if self.fresh:
            shutil.rmtree(self.state, ignore_errors=True)
        start = time.monotonic_ns()
        self.child = subprocess.Popen(
            [os.path.join(BUILD, "bin", "dayflyd"), "--state", self.state, "--listen", "127.0.0.1:0", "--log-level", "error",
             *self.flags], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        line = self.child.stdout.readline()
        self.started_ns = time.monotonic_ns() - start
        found = re.search(r"http://127\.0\.0\.1:(\d+)", line)
        if not found:
            self.child.kill()
            self.child.wait()
            raise Failed(f"dayflyd said: {line.strip()}")
        self.port = found[1]
        found = re.search(r"\(S3\): http://127\.0\.0\.1:(\d+)", self.child.stdout.readline())
        self.s3_port = found[1] if found else None
        return self

    def __exit__(self, *_):
        self.child.terminate()
        try:
            self.child.wait(timeout=40)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()

    def s3(self, what, bucket, clients, seconds, size):
        """Requests per second to the object store."""
        return number([program("s3"), what, self.s3_port, self.credentials, bucket, str(clients), str(seconds), str(size)])

    def curl_s3(self, *arguments):
        """A signed request; the last argument is the path."""
        with open(self.credentials) as f:
            key = ":".join(re.findall(r"aws_(?:access_key_id|secret_access_key) = (\S+)", f.read()))
        output(["curl", "-sf", "--aws-sigv4", "aws:amz:us-east-1:s3", "--user", key, "-H", "x-amz-content-sha256: UNSIGNED-PAYLOAD",
                *arguments[:-1], f"http://127.0.0.1:{self.s3_port}{arguments[-1]}"])

    def make_bucket(self, name):
        self.curl_s3("-X", "PUT", "/" + name)

    def wait_without_processes(self):
        """Until no function has a process: what is left below the daemon are monitors that wait for one."""
        end = time.monotonic() + 20
        while len(below(self.child.pid)) > PREPARED:
            if time.monotonic() > end:
                raise Failed("functions without traffic keep their processes")
            time.sleep(0.02)

    def deploy(self, name, path, **more):
        """Deploys a static program, without a file system; `more` goes over what the name gives."""
        with open(body(), "rb") as f:
            event = base64.b64encode(f.read()).decode()
        config = {"image": path, "raw_root": True, "program": "/" + name, "command": [name], "features": [],
                  "event": event} | more
        connection = http.client.HTTPConnection("dayfly", timeout=60)
        connection.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        with contextlib.closing(connection):
            connection.sock.connect(os.path.join(self.state, "socket"))
            connection.request("PUT", f"/functions/{name}", json.dumps(config))
            got = connection.getresponse().read().decode()
        if '"state":"Active"' not in got:
            raise Failed(f"deploy: {got}")


    def deploy_prebuilt(self, name, event):
        """Deploys a prebuilt function as a user would, with a typical event of the benchmark's."""
        output(["/usr/bin/env", "DAYFLY_STATE=" + self.state, DAYFLY, "deploy", "--event", event, name])


def post(port, path, connections, requests, content="100"):
    return json.loads(output([program("http"), str(port), path, content, str(connections), str(requests)]).stdout)
