#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""tests/run [SUITE...]: runs suites and counts.

A suite is an executable that prints one line per test,

    ok NAME
    not ok NAME: REASON
    skip NAME: REASON

and detail on other lines, before the verdict they belong to. A suite has a time limit; what it started is
ended with it. A suite that ends badly without having said why, or that says nothing, is a failure too.

Prints the failures with their detail, one line per suite with its time, and at last `N passed, N failed`
(`, N skipped` follows if any were). On a terminal tests that pass only move a counter; elsewhere each
verdict is passed on, so that a caller can count them. Exit status 1 if something failed.
"""

import os
import select
import signal
import subprocess
import sys
import time

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

# Name, executable below tests/, time limit in seconds. The order is the order of running.
SUITES = [
    ("guest", "guest/suite", 400),
    ("programs", "e2e/programs", 300),
    ("cli", "e2e/cli", 200),
    ("signals", "e2e/signals", 300),
    ("jail", "jail/suite", 200),
    ("events", "e2e/events", 400),
    ("servers", "e2e/servers", 300),
    ("network", "e2e/network", 200),
    ("function-network", "e2e/function-network", 300),
    ("network-programs", "e2e/network-programs", 200),
    ("network-tap", "e2e/network-tap", 200),
    ("network-hostile", "e2e/network-hostile", 200),
    ("packets", "e2e/packets", 200),
    ("platform", "e2e/platform", 300),
    ("deploys", "e2e/deploys", 200),
    ("services", "e2e/services", 300),
    ("s3", "e2e/s3", 400),
    ("s3-events", "e2e/s3-events", 300),
    ("platform-cli", "e2e/platform-cli", 200),
    ("install", "e2e/install", 200),
    ("operation", "e2e/operation", 300),
    ("triggers", "e2e/triggers", 300),
    ("docs", "e2e/docs", 300),
    ("demo", "e2e/demo", 300),
    ("thousand", "e2e/thousand", 300),
    ("images", "e2e/images", 300),
    ("functions", "e2e/functions", 300),
    ("hostile", "hostile/suite", 400),
    ("rings", "hostile/rings", 200),
    ("pristine", "hostile/pristine", 400),
]


class Counter:
    def __init__(self, show):
        self.passed = self.failed = self.skipped = 0
        self.show = show
        self.detail = []

    def line(self, line):
        word = next((w for w in ("ok ", "not ok ", "skip ") if line.startswith(w)), None)
        if word is None:
            self.detail = (self.detail + [line])[-100:]
            return
        if word == "ok ":
            self.passed += 1
        elif word == "skip ":
            self.skipped += 1
        else:
            self.failed += 1
            for text in self.detail:
                self.show(text)
        if word != "ok " or not sys.stdout.isatty():
            self.show(line)
        self.detail = []


def progress(text):
    if sys.stdout.isatty():
        print("\r\033[K" + text, end="", flush=True)


def show(line):
    progress("")
    print(line, flush=True)


def run_suite(name, path, limit):
    """Runs one suite; returns its Counter and its seconds."""
    counter = Counter(show)
    before = time.monotonic()
    process = subprocess.Popen([path], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                               start_new_session=True)
    rest = b""
    ended = False
    try:
        while True:
            left = before + limit - time.monotonic()
            if left <= 0:
                break
            if not select.select([process.stdout], [], [], left)[0]:
                continue
            block = os.read(process.stdout.fileno(), 65536)
            if not block:
                ended = True
                break
            *lines, rest = (rest + block).split(b"\n")
            for line in lines:
                counter.line(line.decode("utf-8", "backslashreplace"))
            progress(f"{name}: {counter.passed} passed, {counter.failed} failed")
        if ended:
            try:
                process.wait(max(1, before + limit - time.monotonic()))
            except subprocess.TimeoutExpired:
                ended = False
    finally:
        end_all(process)
    if rest:
        counter.line(rest.decode("utf-8", "backslashreplace"))
    if not ended:
        counter.line(f"not ok {name}: not finished after {limit} s")
    elif process.returncode != 0 and counter.failed == 0:
        counter.line(f"not ok {name}: ended with status {process.returncode} and did not say why")
    elif counter.passed + counter.failed + counter.skipped == 0:
        counter.line(f"not ok {name}: ran no test")
    return counter, time.monotonic() - before


def children_of(pid):
    """The process and everything that descends from it, by id."""
    parents = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                with open(f"/proc/{entry}/stat") as f:
                    parents.setdefault(int(f.read().rpartition(")")[2].split()[1]), []).append(int(entry))
            except (OSError, IndexError):
                pass
    found, new = [], [pid]
    while new:
        found += new
        new = [child for parent in new for child in parents.get(parent, ())]
    return found


def end_all(process):
    """Ends a suite and what it started (which lead process groups of their own)."""
    if process.poll() is not None:
        return
    family = children_of(process.pid)
    for pid in family:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    process.wait()


def main():
    known = [name for name, _, _ in SUITES]
    wanted = sys.argv[1:] or known
    unknown = [name for name in wanted if name not in known]
    if unknown:
        print(f"tests/run: no suite named {unknown[0]}; there are {', '.join(known)}", file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    passed = failed = skipped = 0
    for name, path, limit in SUITES:
        path = os.path.join(TESTS, path)
        if name not in wanted:
            continue
        if not os.access(path, os.X_OK):
            if sys.argv[1:]:
                print(f"tests/run: {path} is not there", file=sys.stderr)
                return 2
            continue
        counter, seconds = run_suite(name, path, limit)
        show(f"{name:<10} {counter.passed:>5} passed {counter.failed:>5} failed {counter.skipped:>5} skipped "
             f"{seconds:>7.1f} s")
        passed, failed, skipped = passed + counter.passed, failed + counter.failed, skipped + counter.skipped
    print(f"{passed} passed, {failed} failed" + (f", {skipped} skipped" if skipped else ""))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
