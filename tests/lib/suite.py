# SPDX-License-Identifier: Apache-2.0
"""What the suites share: verdict lines, processes with a time limit, the two sides that are compared.

A suite makes one Suite, reports each test once with ok(), fail() or skip(), and ends with
sys.exit(suite.status()). Reporting is safe from several threads. A name reported twice is a failure.
"""

import concurrent.futures
import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.join(TOP, os.environ.get("BUILD", "build"))
DAYFLY = os.path.join(BUILD, "bin", "dayfly")
SANITIZED = os.path.join(TOP, "build-asan")  # see build_sanitized

# The environment of programs on Linux; `dayfly run` gives its guests the same.
GUEST_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
NATIVE_ENV = {"PATH": GUEST_PATH, "HOME": "/root"}
# The environment of the dayfly command itself. Its cache of roots is ours, so that a second run finds it.
DAYFLY_ENV = {"PATH": GUEST_PATH, "HOME": os.environ.get("HOME", "/root"),
              "XDG_CACHE_HOME": os.path.join(BUILD, "tests", "cache"),
              # Commands end without freeing what lived until then: detect_leaks=0 for a build with sanitizers (scripts/check-sanitized).
              **{name: os.environ[name] for name in ("ASAN_OPTIONS", "TSAN_OPTIONS", "UBSAN_OPTIONS")
                 if name in os.environ}}

# Output that is kept of one process; a program that writes more than this is ended.
OUTPUT_BOUND = 256 << 20

AT_A_TIME = 2  # processes that run side by side
DETAIL_LINES = 12


class Suite:
    def __init__(self):
        self.lock = threading.Lock()
        self.seen = set()
        self.failed = 0

    def _print(self, name, line, detail=""):
        with self.lock:
            if name in self.seen:
                self.failed += 1
                line, detail = f"not ok {name}: reported twice", ""
            self.seen.add(name)
            if line.startswith("not ok"):
                self.failed += 1
            for text in clean(detail).rstrip("\n").splitlines()[:DETAIL_LINES * 2]:
                print("    " + text)
            print(line, flush=True)

    def ok(self, name):
        self._print(name, f"ok {name}")

    def fail(self, name, reason, detail=""):
        self._print(name, f"not ok {name}: {one_line(reason)}", detail)

    def skip(self, name, reason):
        self._print(name, f"skip {name}: {one_line(reason)}")

    def check(self, name, good, reason, detail=""):
        """ok when `good`, else a failure with `reason`. Returns `good`."""
        if good:
            self.ok(name)
        else:
            self.fail(name, reason, detail)
        return bool(good)

    def each(self, function, items):
        """Calls function(item) for each item, AT_A_TIME at once, in the order given. An exception is a failure."""
        def guarded(item):
            try:
                function(item)
            except Exception as error:  # a defect of the suite must not hide the other tests
                name = item if isinstance(item, str) else getattr(item, "name", None) or str(item[0])
                self.fail(f"{name}.suite", f"the suite itself failed: {type(error).__name__}: {error}")
        with concurrent.futures.ThreadPoolExecutor(AT_A_TIME) as pool:
            list(pool.map(guarded, items))

    def status(self):
        return 1 if self.failed else 0


def clean(text):
    """Text of unknown origin, made fit to be shown."""
    if isinstance(text, bytes):
        text = text.decode("utf-8", "backslashreplace")
    return "".join(c if c in "\n\t" or c.isprintable() else f"\\x{ord(c):02x}" for c in text)


def one_line(text):
    return clean(text).replace("\n", " | ")[:400]


class Result:
    """How a process ended. `status` as a shell says it: 128+n for signal n."""

    def __init__(self, status, out, err, seconds, limit=None):
        self.status, self.out, self.err, self.seconds = status, out, err, seconds
        self.limit = limit  # what ended it, when it did not end by itself

    def err_text(self):
        return self.err.decode("utf-8", "backslashreplace")

    def out_text(self):
        return self.out.decode("utf-8", "backslashreplace")


def shell_status(returncode):
    return 128 - returncode if returncode < 0 else returncode


def end(process):
    """Ends a process that start() made, with all of its group, and waits for it.

    Nothing happens when it was waited for already: its id may be someone else's by now."""
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.kill()  # a group of its own may not be there yet
        process.wait()


def start(command, *, env, cwd=None, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
          umask=0o022, **more):
    """Starts a process that leads a session, and so a process group, of its own."""
    return subprocess.Popen(command, env=env, cwd=cwd, stdin=stdin, stdout=stdout, stderr=stderr,
                            start_new_session=True, umask=umask, restore_signals=True, **more)


def run(command, *, env, cwd=None, stdin=None, seconds=60, stdin_file=None):
    """Runs a command to its end, or to the end of its time.

    `stdin` are bytes through a pipe, `stdin_file` a path that becomes standard input; neither is /dev/null.
    """
    before = time.monotonic()
    source = subprocess.DEVNULL
    if stdin_file is not None:
        source = open(stdin_file, "rb")
    elif stdin is not None:
        source = subprocess.PIPE
    process = start(command, env=env, cwd=cwd, stdin=source)
    if stdin_file is not None:
        source.close()
    limits = []
    outputs = [bytearray(), bytearray()]

    def kill():
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)

    def collect(stream, output):
        while block := stream.read1(1 << 20):
            output += block
            if len(output) > OUTPUT_BOUND:
                limits.append(f"wrote more than {OUTPUT_BOUND >> 20} MiB")
                kill()
                return

    def feed():
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            process.stdin.write(stdin)
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            process.stdin.close()

    def out_of_time():
        limits.append(f"not finished after {seconds} s")
        kill()

    timer = threading.Timer(seconds, out_of_time)
    timer.start()
    threads = [threading.Thread(target=collect, args=pair)
               for pair in zip((process.stdout, process.stderr), outputs)]
    if stdin is not None and stdin_file is None:
        threads.append(threading.Thread(target=feed))
    for thread in threads:
        thread.start()
    # Ended, but not yet waited for: so its id is still its own. What it left behind in its group would keep the
    # pipes open.
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    timer.cancel()
    end(process)
    for thread in threads:
        thread.join()
    for stream in (process.stdout, process.stderr):
        stream.close()
    return Result(shell_status(process.returncode), bytes(outputs[0]), bytes(outputs[1]),
                  time.monotonic() - before, limits[0] if limits else None)


def native(program, arguments=(), *, env=None, **more):
    """Runs a program on Linux, as root of a user namespace where the tests do not run as root."""
    command = [program, *arguments]
    if os.geteuid() != 0:
        command = ["unshare", "--user", "--map-root-user", "--"] + command
    return run(command, env={**NATIVE_ENV, **(env or {})}, **more)


def dayfly_command(program, arguments=(), flags=()):
    return [DAYFLY, "run", *flags, program, "--", *arguments]


def dayfly(program, arguments=(), flags=(), *, env=None, **more):
    """Runs a program in a microVM. `env` is for the dayfly command, not for its guest."""
    return run(dayfly_command(program, arguments, flags), env={**DAYFLY_ENV, **(env or {})}, **more)


def is_tmpfs(path):
    best = ("", "")
    for line in open("/proc/self/mounts"):
        _, where, kind = line.split()[:3]
        if (path == where or path.startswith(where.rstrip("/") + "/")) and len(where) >= len(best[0]):
            best = (where, kind)
    return best[1] == "tmpfs"


@contextlib.contextmanager
def fresh_directory(memory=False):
    """An empty directory that is removed at the end; on a memory file system if `memory` and there is one."""
    base = None
    if memory:
        base = next((p for p in ("/dev/shm", "/tmp") if os.access(p, os.W_OK) and is_tmpfs(p)), None)
    path = tempfile.mkdtemp(prefix="dayfly-test-", dir=base)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def describe(result):
    return result.limit or f"status {result.status}"


def own_errors(text):
    """What dayfly itself said on standard error, and what the program did."""
    lines = text.splitlines(keepends=True)
    return ("".join(l for l in lines if l.startswith("dayfly: ")),
            "".join(l for l in lines if not l.startswith("dayfly: ")))


def first_difference(want, got):
    """Where two byte strings part, in words."""
    at = next((i for i, (a, b) in enumerate(zip(want, got)) if a != b), min(len(want), len(got)))
    around = max(0, at - 20)
    return (f"at byte {at} of {len(want)} and {len(got)}:\n"
            f"Linux   {want[around:at + 60]!r}\nmicroVM {got[around:at + 60]!r}")


def need_command(suite, name):
    """False, with a failure, when the dayfly command is not built."""
    if os.access(DAYFLY, os.X_OK):
        return True
    suite.fail(name, f"{os.path.relpath(DAYFLY, TOP)} is not built")
    return False


def build_sanitized(*targets):
    """Builds these with the address and undefined-behaviour sanitizers, in SANITIZED. The reason when they can not be had, else None."""
    env = {**os.environ, "CC": "gcc"}
    steps = [["ninja", "-C", SANITIZED, "--quiet", *targets]]
    if not os.path.exists(os.path.join(SANITIZED, "build.ninja")):
        steps.insert(0, ["meson", "setup", SANITIZED, TOP, "-Db_sanitize=address,undefined"])
    for step in steps:
        done = subprocess.run(step, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if done.returncode:
            return (done.stdout.strip().splitlines() or ["failed"])[-1]
    return None


def main(suite, function):
    """The end of every suite: runs it, answers its status; SIGTERM ends its processes first (atexit of the pool)."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    function()
    sys.exit(suite.status())
