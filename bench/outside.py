# SPDX-License-Identifier: Apache-2.0
"""Servers with a published port, `dayfly run -p`, beside the same servers on Linux, in a network namespace behind slirp4netns, and behind pasta; and on a
TAP device, `dayfly run --net=tap:NAME`, beside the same behind a veth pair.

Clients are on this machine, as ordinary programs; the benchmarks use free ports of its loopback and leave nothing.
"""

import contextlib
import json
import os
import re
import socket
import subprocess
import tempfile
import time

from measure import Failed, dayfly, in_turn, output, scratch, tool

ADDRESS = "127.0.0.1"
FIGURE = r"[0-9.]+"

# Its folders are its user's alone: who runs it is another one behind pasta.
NGINX = """user root; daemon off; master_process off; pid /tmp/%(own)s.pid; error_log stderr crit;
events { worker_connections 512; }
http { access_log off; client_body_temp_path /tmp/%(own)s-a; proxy_temp_path /tmp/%(own)s-b; fastcgi_temp_path /tmp/%(own)s-c;
 uwsgi_temp_path /tmp/%(own)s-d; scgi_temp_path /tmp/%(own)s-e; server { listen %(port)d; root %(root)s; } }
"""

# pasta will not be root, and TAP devices may be root's alone: then it gets a device file of its own, in a mount namespace of its own.
PASTA_OF_ROOT = """mount -t tmpfs none /mnt && mknod -m 666 /mnt/tun c 10 200 && mount --bind /mnt/tun /dev/net/tun &&
exec setpriv --reuid 65534 --regid 65534 --clear-groups "$@" """


def free_port():
    with socket.create_server((ADDRESS, 0)) as s:
        return s.getsockname()[1]


def wait_for(what, ready, seconds=30):
    deadline = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > deadline:
            raise Failed(f"{what} was not ready after {seconds} s")
        time.sleep(0.05)


def answers(port, question, answer):
    """True when a server behind this port answers so; a forwarded port takes connections before there is one."""
    try:
        with socket.create_connection((ADDRESS, port), timeout=2) as s:
            s.sendall(question)
            return s.recv(100).startswith(answer)
    except OSError:
        return False


@contextlib.contextmanager
def process(command):
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as child:
        try:
            yield child
        finally:
            child.kill()


@contextlib.contextmanager
def guest(flags, command, guest_port):
    port = free_port()
    with process(dayfly("-p", f"{port}:{guest_port}", *flags, command[0], "--", *command[1:])):
        yield port


def forward(api, port, guest_port):
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(api)
        s.sendall(json.dumps({"execute": "add_hostfwd", "arguments": {
            "proto": "tcp", "host_addr": ADDRESS, "host_port": port, "guest_port": guest_port}}).encode())
        s.shutdown(socket.SHUT_WR)
        said = s.recv(1000).decode()
    if "return" not in said:
        raise Failed(f"slirp4netns forwards no port: {said}")


@contextlib.contextmanager
def namespace(command, guest_port):
    """The same on Linux: a namespace of its own, whose way out is slirp4netns with the same size of packets."""
    port, own = free_port(), os.readlink("/proc/self/ns/net")
    unshare = ["unshare", "--net"] if os.geteuid() == 0 else ["unshare", "--net", "--user", "--map-root-user"]
    with tempfile.TemporaryDirectory() as directory, process([*unshare, *command]) as server:
        api = os.path.join(directory, "api")
        wait_for("a network namespace", lambda: os.readlink(f"/proc/{server.pid}/ns/net") != own)
        with process([tool("slirp4netns"), "--configure", "--mtu=65520", "--api-socket", api, str(server.pid), "tap0"]):
            wait_for("slirp4netns", lambda: os.path.exists(api))
            forward(api, port, guest_port)
            yield port


@contextlib.contextmanager
def behind_pasta(command, guest_port):
    """The same behind pasta, whose program would outlive it."""
    port = free_port()
    command = [tool("setpriv"), "--pdeathsig", "KILL", "--", *command]
    pasta = [tool("pasta"), "--config-net", "-f", "-q", "-l", scratch("pasta.log", b""), "-t", f"{port}:{guest_port}", "--", *command]
    if os.geteuid() == 0:
        os.chmod(pasta[5], 0o666)
        pasta = ["unshare", "--mount", "sh", "-c", PASTA_OF_ROOT, "sh", *pasta]
    with process(pasta):
        yield port


# What `dayfly run` is compared with: what follows the row's name, what it is called, how it is started, the goal.
BESIDE = (("", "slirp4netns", namespace, ("least", 1.0)), (".pasta", "pasta", behind_pasta, None))


def nginx_file(name, port, root):
    return scratch(f"{name}.conf", (NGINX % {"own": f"bench-{name}", "port": port, "root": root}).encode())


def figure(pattern, command):
    found = re.search(pattern, output(command).stdout)
    if not found:
        raise Failed(f"{command[0]} printed no figure")
    return float(found[1])


def nginx_rate():
    page = scratch("1k", b"x" * 1024)
    port, root = 8099, os.path.dirname(page)

    def ready(at):
        return lambda: answers(at, b"GET /1k HTTP/1.0\r\n\r\n", b"HTTP/1.1 200")

    def rate(at):
        return lambda: figure(rf"Requests/sec: +({FIGURE})",
                              [tool("wrk"), "-t1", "-c50", "-d2", f"http://{ADDRESS}:{at}/1k"])

    inside = nginx_file("guest", port, "/srv")
    for suffix, label, beside, goal in BESIDE:
        outside = nginx_file(label, port, root)
        with guest(["--file", f"{inside}:/etc/nginx.conf", "--file", f"{page}:/srv/1k"],
                   [tool("nginx"), "-c", "/etc/nginx.conf"], port) as one, \
                beside([tool("nginx"), "-c", outside], port) as other:
            wait_for("nginx in a guest", ready(one))
            wait_for(f"nginx behind {label}", ready(other))
            ours, linux = in_turn(3, rate(one), rate(other))
        yield "net.nginx_rate" + suffix, ours, "1/s", f"nginx behind {label}", linux, goal


def redis_set():
    port = 6399
    command = [tool("redis-server"), "--port", str(port), "--bind", "0.0.0.0", "--protected-mode", "no", "--save", ""]

    def ready(at):
        return lambda: answers(at, b"PING\r\n", b"+PONG")

    def rate(at):
        return lambda: figure(rf"({FIGURE}) requests per second", [tool("redis-benchmark"), "-h", ADDRESS, "-p", str(at), "-q",
                                                                   "-t", "set", "-n", "200000", "-P", "16"])

    for suffix, label, beside, goal in BESIDE:
        with guest([], command, port) as one, beside(command, port) as other:
            wait_for("redis in a guest", ready(one))
            wait_for(f"redis behind {label}", ready(other))
            ours, linux = in_turn(3, rate(one), rate(other))
        yield "net.redis_set" + suffix, ours, "1/s", f"redis behind {label}", linux, goal


def iperf(enter, host, port, *flags):
    """MiB/s between a client here (or where `enter` leads) and a server there."""
    client = [*enter, tool("iperf3"), "-c", host, "-p", str(port), "--json"]

    def takes_one():
        # With --json its status is 0, whatever happened.
        return '"error"' not in subprocess.run([*client, "-n", "1K"], capture_output=True, text=True, timeout=30).stdout

    def once():
        # Its server listens anew after each test.
        wait_for("iperf3", takes_one)
        time.sleep(0.5)
        got = json.loads(output([*client, "-t", "2", *flags]).stdout)
        if "error" in got:
            raise Failed(f"iperf3: {got['error']}")
        return got["end"]["sum_received"]["bits_per_second"] / 8 / (1 << 20)
    return once


def bulk():
    port = 5299
    command = [tool("iperf3"), "-s", "-p", str(port)]
    for suffix, label, beside, goal in BESIDE:
        with guest([], command, port) as one, beside(command, port) as other:
            for way, flags in (("in", []), ("out", ["-R"])):
                ours, linux = in_turn(3, iperf([], ADDRESS, one, *flags), iperf([], ADDRESS, other, *flags))
                yield f"net.bulk.{way}{suffix}", ours, "MiB/s", f"iperf3 behind {label}", linux, goal


# --- a TAP device, beside a pair of veth devices ---

GUEST, LINUX = "192.0.2.10", "198.51.100.2"


@contextlib.contextmanager
def empty_namespace():
    """What to put before a command that is to run there."""
    own = os.readlink("/proc/self/ns/net")
    with process(["unshare", "--net", "sleep", "infinity"]) as holder:
        wait_for("a network namespace", lambda: os.readlink(f"/proc/{holder.pid}/ns/net") != own)
        enter = ["nsenter", f"--net=/proc/{holder.pid}/ns/net"]
        output([*enter, "ip", "link", "set", "lo", "up"])
        yield holder.pid, enter


@contextlib.contextmanager
def devices():
    """Where clients and the guest's end of a TAP device are; and where Linux's end of a veth pair is."""
    if os.geteuid() != 0:
        raise Failed("TAP devices and namespaces are root's")
    with empty_namespace() as (_, here), empty_namespace() as (pid, there):
        for enter, words in ((here, "tuntap add t0 mode tap"), (here, "addr add 192.0.2.1/24 dev t0"), (here, "link set t0 up"),
                             (here, f"link add v0 type veth peer name v1 netns {pid}"), (here, "addr add 198.51.100.1/24 dev v0"),
                             (here, "link set v0 up"), (there, f"addr add {LINUX}/24 dev v1"), (there, "link set v1 up")):
            output([*enter, "ip", *words.split()])
        yield here, there


def on_tap(here, flags, command):
    return process([*here, *dayfly(f"--net=tap:t0,address={GUEST}/24", *flags, command[0], "--", *command[1:])])


def tap_rate():
    page = scratch("1k", b"x" * 1024)
    inside = nginx_file("tap", 80, "/srv")
    outside = nginx_file("veth", 80, os.path.dirname(page))

    with devices() as (here, there):
        def ready(host):
            return lambda: subprocess.run([*here, tool("curl"), "-sf", "-m", "2", "-o", "/dev/null", f"http://{host}/1k"]).returncode == 0

        def rate(host):
            return lambda: figure(rf"Requests/sec: +({FIGURE})", [*here, tool("wrk"), "-t1", "-c50", "-d2", f"http://{host}/1k"])

        with on_tap(here, ["--file", f"{inside}:/etc/nginx.conf", "--file", f"{page}:/srv/1k"], [tool("nginx"), "-c", "/etc/nginx.conf"]), \
                process([*there, tool("nginx"), "-c", outside]):
            wait_for("nginx in a guest", ready(GUEST))
            wait_for("nginx on Linux", ready(LINUX))
            ours, linux = in_turn(3, rate(GUEST), rate(LINUX))
    yield "net.tap_rate", ours, "1/s", "nginx behind veth", linux, None


def tap_bulk():
    command = [tool("iperf3"), "-s", "-p", "5298"]

    with devices() as (here, there), on_tap(here, [], command), process([*there, *command]):
        for name, flags in (("in", []), ("out", ["-R"])):
            ours, linux = in_turn(3, iperf(here, GUEST, 5298, *flags), iperf(here, LINUX, 5298, *flags))
            yield f"net.tap_bulk.{name}", ours, "MiB/s", "iperf3 behind veth", linux, None


BENCHMARKS = {
    "net.nginx_rate": nginx_rate,
    "net.redis_set": redis_set,
    "net.bulk": bulk,
    "net.tap_rate": tap_rate,
    "net.tap_bulk": tap_bulk,
}
