# SPDX-License-Identifier: Apache-2.0
"""Servers with a published port, `dayfly run -p`, beside the same servers on Linux, in a network namespace behind slirp4netns.

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

NGINX = """daemon off; master_process off; pid /tmp/bench-nginx.pid; error_log stderr crit;
events { worker_connections 512; }
http { access_log off; client_body_temp_path /tmp/bench-a; proxy_temp_path /tmp/bench-b; fastcgi_temp_path /tmp/bench-c;
 uwsgi_temp_path /tmp/bench-d; scgi_temp_path /tmp/bench-e; server { listen %d; root %s; } }
"""


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

    inside = scratch("outside.conf", (NGINX % (port, "/srv")).encode())
    outside = scratch("outside-linux.conf", (NGINX % (port, root)).encode())
    with guest(["--file", f"{inside}:/etc/nginx.conf", "--file", f"{page}:/srv/1k"],
               [tool("nginx"), "-c", "/etc/nginx.conf"], port) as one, \
            namespace([tool("nginx"), "-c", outside], port) as other:
        wait_for("nginx in a guest", ready(one))
        wait_for("nginx on Linux", ready(other))
        ours, linux = in_turn(3, rate(one), rate(other))
    yield "net.nginx_rate", ours, "1/s", "nginx behind slirp4netns", linux, ("least", 1.0)


def redis_set():
    port = 6399
    command = [tool("redis-server"), "--port", str(port), "--bind", "0.0.0.0", "--protected-mode", "no", "--save", ""]

    def ready(at):
        return lambda: answers(at, b"PING\r\n", b"+PONG")

    def rate(at):
        return lambda: figure(rf"({FIGURE}) requests per second", [tool("redis-benchmark"), "-h", ADDRESS, "-p", str(at), "-q",
                                                                   "-t", "set", "-n", "200000", "-P", "16"])

    with guest([], command, port) as one, namespace(command, port) as other:
        wait_for("redis in a guest", ready(one))
        wait_for("redis on Linux", ready(other))
        ours, linux = in_turn(3, rate(one), rate(other))
    yield "net.redis_set", ours, "1/s", "redis behind slirp4netns", linux, ("least", 1.0)


def bulk():
    port = 5299
    command = [tool("iperf3"), "-s", "-p", str(port)]
    client = [tool("iperf3"), "-c", ADDRESS, "--json"]

    def rate(at, *flags):
        def once():
            # Its server listens anew after each test.
            probe = [*client, "-p", str(at), "-n", "1K"]
            wait_for("iperf3", lambda: subprocess.run(probe, capture_output=True, timeout=30).returncode == 0)
            time.sleep(0.5)
            got = json.loads(output([*client, "-p", str(at), "-t", "2", *flags]).stdout)
            return got["end"]["sum_received"]["bits_per_second"] / 8 / (1 << 20)
        return once

    with guest([], command, port) as one, namespace(command, port) as other:
        ours, linux = in_turn(3, rate(one), rate(other))
        yield "net.bulk.in", ours, "MiB/s", "iperf3 behind slirp4netns", linux, ("least", 1.0)
        ours, linux = in_turn(3, rate(one, "-R"), rate(other, "-R"))
        yield "net.bulk.out", ours, "MiB/s", "iperf3 behind slirp4netns", linux, ("least", 1.0)


BENCHMARKS = {
    "net.nginx_rate": nginx_rate,
    "net.redis_set": redis_set,
    "net.bulk": bulk,
}
