# SPDX-License-Identifier: Apache-2.0
"""The rows of the platform: functions over HTTP, objects, what they are beside. Each is a generator as in `run`."""

import contextlib
import json
import os
import shutil
import statistics
import subprocess
import tempfile
import time

from measure import (BUILD, DAYFLY, TOP, Daemon, Failed, bare_exit, below, body, echo, events, in_turn, memory_of, number, output, post,
                     program, scratch, tool, wall)


@contextlib.contextmanager
def server(*command):
    """A server of the benchmarks: it prints its port and ends with its standard input."""
    child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        port = child.stdout.readline().strip()
        if not port:
            raise Failed(f"{os.path.basename(command[0])} printed no port")
        yield port
    finally:
        child.stdin.close()
        child.wait(timeout=20)


def http_echo():
    with server(program("http-static")) as static, Daemon() as daemon:
        daemon.deploy("echo", program("echo"))
        post(daemon.port, "/fn/echo", 1, 300)
        seen = [(post(daemon.port, "/fn/echo", 1, 3000)["p50"], post(static, "/", 1, 3000)["p50"]) for _ in range(5)]
    ours, library = (statistics.median(column) for column in zip(*seen))
    yield "http.echo", ours / 1e3, "us", "a static reply by the same library", library / 1e3, ("ratio", 4)


def cpu_seconds(pid):
    """Processor time of a process and all below it."""
    def of(one):
        with open(f"/proc/{one}/stat") as f:
            return sum(int(word) for word in f.read().rsplit(")", 1)[1].split()[11:15])
    return sum(of(one) for one in (pid, *below(pid))) / os.sysconf("SC_CLK_TCK")


def http_rate():
    """32 connections. Beside requests a second: what daemon and monitors compute for one, guests included, but not the client."""
    def ours(daemon):
        before = cpu_seconds(daemon.child.pid)
        rate = post(daemon.port, "/fn/echo", 32, 6400)["rate"]
        return rate, (cpu_seconds(daemon.child.pid) - before) / 6400

    with server(program("http-static")) as static, Daemon() as daemon:
        daemon.deploy("echo", program("echo"))
        post(daemon.port, "/fn/echo", 32, 3200)
        seen = [(*ours(daemon), post(static, "/", 32, 32000)["rate"], bare_exit()) for _ in range(5)]
    rate, cpu, library, bare = (statistics.median(column) for column in zip(*seen))
    yield "http.rate", rate, "/s", "a static reply by the same library", library, ("least", 0.15)
    yield "http.rate.cpu", cpu * 1e6, "us", "one bare KVM exit", bare / 1e3, None


def http_cold():
    """A function's first reply: deployed anew each time, so that it has no process."""
    with Daemon() as daemon:
        times = []
        for i in range(15):
            daemon.deploy(f"echo{i}", program("echo"))
            time.sleep(0.3)
            times.append(post(daemon.port, f"/fn/echo{i}", 1, 1)["p50"])
    linux = wall(31, [program("echo")], stdin=body())[0]
    yield "http.cold", statistics.median(times) / 1e3, "us", "fork, exec and wait", linux / 1e3, ("ratio", 3)


def http_async():
    seen = json.loads(output([program("queue"), BUILD]).stdout)
    yield "http.async", seen["threads_1"], "/s", "synchronous SQLite inserts", seen["sqlite"], ("least", 0.7)
    yield "http.async_32", seen["threads_32"], "/s", "synchronous SQLite inserts", seen["sqlite"], ("least", 4)


def deploy_hello():
    """`dayfly deploy` as a user waits for it: of a program that is not frozen yet, and once more with nothing changed."""
    folder = tempfile.mkdtemp(dir=os.path.join(BUILD, "bench"))
    manifest = os.path.join(folder, "dayfly.yaml")

    def deploy(version):
        with open(manifest, "w") as f:
            f.write(f"name: hello\ncommand: [{program('hello')}]\nfeatures: []\nenvironment:\n  VERSION: '{version}'\n")
        start = time.monotonic_ns()
        output(command)
        return time.monotonic_ns() - start

    with Daemon() as daemon:
        command = ["/usr/bin/env", "DAYFLY_STATE=" + daemon.state, DAYFLY, "deploy", "--manifest", manifest]
        deploy("first")
        seen = [(deploy(i), deploy(i)) for i in range(9)]
    shutil.rmtree(folder)
    fresh, again = (statistics.median(column) for column in zip(*seen))
    yield "deploy.hello", fresh / 1e6, "ms", "the same with nothing changed", again / 1e6, None


IDLE = 1000


def idle_function():
    """What 1,000 functions without traffic take: processes, memory and start of the daemon, beside one function."""
    def starts():
        """Several, since the machine may be busy with one of them."""
        seen = []
        for _ in range(5):
            with Daemon(fresh=False) as daemon:
                seen.append(daemon.started_ns)
        return statistics.median(seen)

    def look(daemon):
        return {"memory": memory_of(daemon.child.pid, "smaps_rollup", "Anonymous"), "processes": len(below(daemon.child.pid))}

    with Daemon() as daemon:
        daemon.deploy("idle0", program("echo"))
    start_one = starts()
    with Daemon(fresh=False) as daemon:
        one = look(daemon)
        start = time.monotonic()
        for i in range(1, IDLE):
            daemon.deploy(f"idle{i}", program("echo"), program="/idle", command=["idle"])
        deploying = time.monotonic() - start
    with Daemon(fresh=False) as daemon:
        many = look(daemon)
        post(daemon.port, f"/fn/idle{IDLE - 1}", 1, 1)
    yield "idle.function", many["processes"] - one["processes"], "procs", None, None, ("value", 0)
    yield "idle.function.memory", many["memory"] / (1 << 20), "MiB", "with one function", one["memory"] / (1 << 20), None
    yield "idle.function.start", starts() / 1e6, "ms", "with one function", start_one / 1e6, None
    yield "idle.function.deploy", deploying * 1e3 / (IDLE - 1), "ms", None, None, None


OBJECT = 64 << 10


def s3_put():
    """New objects, durable when they are acknowledged, beside files that are."""
    folder = tempfile.mkdtemp(dir=os.path.join(BUILD, "bench"))
    with Daemon() as daemon:
        daemon.make_bucket("bench")
        ours, files = in_turn(7, lambda: daemon.s3("put", "bench", 8, 1, OBJECT),
                              lambda: number([program("s3"), "files", folder, "8", "1", str(OBJECT)]))
    shutil.rmtree(folder)
    yield "s3.put", ours, "/s", "write, fsync, rename of the same", files, ("least", 0.7)


def s3_get():
    path = scratch("file-64K", os.urandom(OBJECT))
    with server(program("http-static"), path) as port, Daemon() as daemon:
        daemon.make_bucket("bench")
        daemon.curl_s3("-T", path, "/bench/file")
        ours, beside = in_turn(7, lambda: daemon.s3("get", "bench", 8, 1, OBJECT),
                               lambda: number([program("s3"), "get", port, daemon.credentials, "bench", "8", "1", str(OBJECT)]))
    yield "s3.get", ours, "/s", "the HTTP library, the same file", beside, ("least", 0.6)


def some_text():
    """6 MiB of text, less 64 KiB: sources that every machine here has."""
    most = (6 << 20) - 65536
    text = b""
    for folder, _, names in sorted(os.walk(os.path.dirname(os.__file__))):
        for name in sorted(names):
            if name.endswith(".py") and len(text) < most:
                with open(os.path.join(folder, name), "rb") as f:
                    text += f.read()
    return scratch("text-6M", text[:most])


def compress_zstd():
    """A large body through the function over HTTP, beside the tool on a file, at the same level."""
    text = some_text()
    with open(text, "rb") as f:
        typical = scratch("text-1M", f.read(1 << 20))
    megabytes = os.path.getsize(text) / 1e6
    seen = []
    with Daemon() as daemon:
        daemon.deploy_prebuilt("compress", typical)
        post(daemon.port, "/fn/compress", 1, 5, "@" + text)
        for _ in range(5):
            ours = post(daemon.port, "/fn/compress", 1, 15, "@" + text)["p50"]
            seen.append((megabytes * 1e9 / ours, megabytes * 1e9 / wall(15, [tool("zstd"), "-q", "-3", "-c"], stdin=text)[0]))
    ours, beside = (statistics.median(column) for column in zip(*seen))
    yield "compress.zstd", ours, "MB/s", "zstd on the command line", beside, ("least", 0.9)


def photograph():
    path = os.path.join(TOP, "..", "shared", "data", "photos", "rocket.jpg")
    return path if os.path.exists(path) else os.path.join(BUILD, "bin", "functions", "image.event")


# What job.thumb is measured beside: the same program, started for the file.
THUMB_ALONE = [os.path.join(BUILD, "bin", "functions", "image")]


def image_thumb():
    """A thumbnail over HTTP, beside fork and exec of the same program."""
    picture = photograph()
    seen = []
    with Daemon() as daemon:
        daemon.deploy_prebuilt("image", picture)
        post(daemon.port, "/fn/image", 1, 20, "@" + picture)
        for _ in range(5):
            seen.append((post(daemon.port, "/fn/image", 1, 41, "@" + picture)["p50"], wall(41, THUMB_ALONE, stdin=picture)[0]))
    ours, beside = (statistics.median(column) for column in zip(*seen))
    yield "image.thumb", ours / 1e6, "ms", "fork and exec of the same program", beside / 1e6, None


JOB = """name: image
command: [prebuilt:image]
features: [files]
wait_point: sdk
reply_type: image/webp
triggers:
  - object: {bucket: photos, suffix: .jpg, body: object}
destinations:
  success: {object: "thumbs/{key.stem}.webp"}
"""


def thumbs(daemon, clients, count, picture):
    """`count` pictures are put by `clients` at a time, and waited for until all thumbnails can be read."""
    return json.loads(output([program("s3"), "job", daemon.s3_port, daemon.credentials, "photos", "thumbs", str(clients),
                              str(count), picture]).stdout)


@contextlib.contextmanager
def job(*flags):
    """A daemon that makes thumbnails of what is put into a bucket, and the picture."""
    picture, manifest = photograph(), scratch("job.yaml", JOB.encode())
    with Daemon(*flags) as daemon:
        for bucket in ("photos", "thumbs"):
            daemon.make_bucket(bucket)
        output(["/usr/bin/env", "DAYFLY_STATE=" + daemon.state, DAYFLY, "deploy", "--manifest", manifest, "--event", picture])
        yield daemon, picture


def job_thumb():
    """From the put of a picture to a thumbnail that can be read: by a function with traffic, and by one that has no process."""
    with job() as (daemon, picture):
        thumbs(daemon, 1, 3, picture)
        seen = [(thumbs(daemon, 1, 9, picture)["p50"], wall(9, THUMB_ALONE, stdin=picture)[0]) for _ in range(5)]
    ours, beside = (statistics.median(column) for column in zip(*seen))
    yield "job.thumb", ours / 1e6, "ms", "fork and exec of the same program", beside / 1e6, ("ratio", 1.3)
    with job("--idle", "100ms") as (daemon, picture):
        seen = []
        for _ in range(7):
            daemon.wait_without_processes()
            seen.append((thumbs(daemon, 1, 1, picture)["p50"], wall(3, THUMB_ALONE, stdin=picture)[0]))
    ours, beside = (statistics.median(column) for column in zip(*seen))
    yield "job.thumb.cold", ours / 1e6, "ms", "fork and exec of the same program", beside / 1e6, None


def job_thumb_rate():
    count, folder = 64, tempfile.mkdtemp(dir=os.path.join(BUILD, "bench"))
    names = "\n".join(os.path.join(folder, str(i)) for i in range(count))

    def alone(picture):
        start = time.monotonic()
        subprocess.run(["xargs", "-P2", "-I{}", "sh", "-c", f"'{THUMB_ALONE[0]}' <'{picture}' >'{{}}'"], input=names, text=True,
                       check=True, timeout=60)
        return count / (time.monotonic() - start)

    with job() as (daemon, picture):
        ours, beside = in_turn(5, lambda: thumbs(daemon, 8, count, picture)["rate"], lambda: alone(picture))
    shutil.rmtree(folder)
    yield "job.thumb_rate", ours, "/s", "the same program under xargs -P2", beside, ("least", 0.9)


def vs_fork_exec():
    seen = [(wall(31, [program("echo")], stdin=body())[0], events(echo())["p50"]) for _ in range(3)]
    other, ours = (statistics.median(column) for column in zip(*seen))
    yield "vs.fork_exec", other / 1e3, "us", "event.pristine", ours / 1e3, None


def beside_echo(name, port, requests):
    """The echo program's work over HTTP, done in another way, beside http.echo."""
    with Daemon() as daemon:
        daemon.deploy("echo", program("echo"))
        post(daemon.port, "/fn/echo", 1, 300)
        post(port, "/", 1, 3)
        seen = [(post(port, "/", 1, requests)["p50"], post(daemon.port, "/fn/echo", 1, 2000)["p50"]) for _ in range(5)]
    other, ours = (statistics.median(column) for column in zip(*seen))
    yield name, other / 1e3, "us", "http.echo", ours / 1e3, None


def per_request(name, *command):
    """A server that starts this for each request, as CGI does."""
    with server(program("http-cgi"), *command) as port:
        yield from beside_echo(name, port, 40)


def vs_cgi():
    yield from per_request("vs.cgi", program("echo"))


def vs_bwrap():
    yield from per_request("vs.bwrap", tool("bwrap"), "--unshare-all", "--die-with-parent", "--ro-bind", program("echo"), "/echo",
                           "/echo")


CRUN = """#!/bin/sh
# In a mount namespace of its own, without the second hierarchy of control groups, which crun cannot take.
umount /sys/fs/cgroup/unified 2>/dev/null
exec "$@"
"""


def vs_crun():
    bundle = scratch("crun")
    for folder in ("proc", "dev", "sys"):
        os.makedirs(os.path.join(bundle, "rootfs", folder), exist_ok=True)
    shutil.copy(program("echo"), os.path.join(bundle, "rootfs", "echo"))
    with open(os.path.join(bundle, "config.json"), "w") as f:
        json.dump({"ociVersion": "1.0.0", "root": {"path": "rootfs", "readonly": True},
                   "process": {"args": ["/echo"], "cwd": "/", "terminal": False,
                               "user": {"uid": 0, "gid": 0}},
                   "mounts": [{"destination": "/proc", "type": "proc", "source": "proc"},
                              {"destination": "/dev", "type": "tmpfs", "source": "tmpfs"}],
                   "linux": {"namespaces": [{"type": kind} for kind in
                                            ("pid", "network", "ipc", "uts", "mount")]}}, f)
    script = scratch("crun.sh", CRUN.encode())
    script = scratch("crun.sh", CRUN.encode())
    yield from per_request("vs.crun", "/usr/bin/unshare", "-m", "/bin/sh", script, tool("crun"), "run", "--bundle", bundle,
                           f"dayfly-bench-{os.getpid()}")


# A V8 isolate that stays from one request to the next: the other way to have little per event, with another wall.
WORKERD = "1.20261117.1"

WORKER = """using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [(name = "main", worker = (compatibilityDate = "2025-01-01",
    modules = [(name = "echo.js", esModule = "export default { async fetch(r) { return new Response(await r.arrayBuffer()) } }")]))],
  sockets = [(name = "http", address = "127.0.0.1:0", http = (), service = "main")]
);
"""


def workerd():
    """The program of the npm package, installed below the build folder. It has no dependencies and runs no script."""
    folder = scratch("workerd")
    path = os.path.join(folder, "node_modules", "@cloudflare", "workerd-linux-64", "bin", "workerd")
    if not os.path.exists(path):
        os.makedirs(folder, exist_ok=True)
        output([tool("npm"), "install", "--prefix", folder, "--ignore-scripts", "--no-audit", "--no-fund", f"workerd@{WORKERD}"])
    return path


def vs_workerd():
    try:
        path = workerd()
    except Failed as why:
        print(f"vs.workerd           skipped: the npm package workerd can not be had: {why}", flush=True)
        return
    config = scratch("worker.capnp", WORKER.encode())
    child = subprocess.Popen([path, "serve", "--control-fd=1", config], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    try:
        yield from beside_echo("vs.workerd", json.loads(child.stdout.readline() or "{}").get("port"), 2000)
    finally:
        child.terminate()
        child.wait(timeout=20)


BENCHMARKS = {
    "http.echo": http_echo,
    "http.rate": http_rate,
    "http.cold": http_cold,
    "http.async": http_async,
    "deploy.hello": deploy_hello,
    "idle.function": idle_function,
    "s3.put": s3_put,
    "s3.get": s3_get,
    "compress.zstd": compress_zstd,
    "image.thumb": image_thumb,
    "job.thumb": job_thumb,
    "job.thumb_rate": job_thumb_rate,
    "vs.fork_exec": vs_fork_exec,
    "vs.cgi": vs_cgi,
    "vs.bwrap": vs_bwrap,
    "vs.crun": vs_crun,
    "vs.workerd": vs_workerd,
}
