# SPDX-License-Identifier: Apache-2.0
"""The program in the guests of the suite `packets`: packets_guest.py serve|connect|datagrams...

It says on standard output what it saw, a line for each connection or datagram, and takes lines on standard input.
"""

import hashlib
import socket
import sys
import threading

sys.stdout.reconfigure(line_buffering=True)
lines = sys.stdin


def pattern(count):
    return b"".join(i.to_bytes(4, "big") for i in range(count // 4 + 1))[:count]


def digest(data):
    return hashlib.sha256(data).hexdigest()


def read_all(s):
    data = bytearray()
    while part := s.recv(65536):
        data += part
    return data


def read_line(s):
    line = b""
    while not line.endswith(b"\n"):
        byte = s.recv(1)
        if not byte:
            raise EOFError
        line += byte
    return line.decode("latin-1").split()


# --- what a connection to the server may ask for, by its first line ---

def sink(s):
    data = read_all(s)
    s.sendall(f"{len(data)} {digest(data)}".encode())
    return f"{len(data)} {digest(data)}"


def echo(s):
    data = read_all(s)
    s.sendall(data)
    return f"{len(data)}"


def ping(s):
    """Echo at once, until the end."""
    while part := s.recv(65536):
        s.sendall(part)
    return "ended"


def give(s, count):
    s.sendall(pattern(int(count)))
    s.shutdown(socket.SHUT_WR)
    return f"then {len(read_all(s))}"


def leave(s):
    return "left"


def wait(s):
    """Reads only when it is told to."""
    lines.readline()
    return sink(s)


def alive(s, idle, interval, count):
    s.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in ((socket.TCP_KEEPIDLE, idle), (socket.TCP_KEEPINTVL, interval), (socket.TCP_KEEPCNT, count)):
        s.setsockopt(socket.IPPROTO_TCP, name, int(value))
    return f"{len(read_all(s))}"


ASKED = {f.__name__: f for f in (sink, echo, ping, give, leave, wait, alive)}


def handle(s):
    what = "?"
    with s:
        try:
            what, *arguments = read_line(s)
            said = ASKED[what](s, *arguments)
        except (OSError, EOFError, KeyError, TypeError, ValueError) as error:
            said = type(error).__name__
    print(what, said)


def serve():
    listener = socket.create_server(("", 80), backlog=200)
    print("ready")
    while True:
        threading.Thread(target=handle, args=(listener.accept()[0],), daemon=True).start()


def serve_loopback():
    """Two servers on one port: what comes to the outer one must not reach the inner one."""
    inner = socket.create_server(("127.0.0.1", 81))
    inner.settimeout(1)
    threading.Thread(target=serve, daemon=True).start()
    lines.readline()
    try:
        print("inner", inner.accept()[1])
    except OSError as error:
        print("inner", type(error).__name__)
    lines.readline()


def connect(port, seconds):
    """A client: what came, or what went wrong."""
    try:
        with socket.create_connection(("10.0.2.2", int(port)), timeout=float(seconds)) as s:
            print("connected")
            s.sendall(b"hello")
            data = read_all(s)
            print(len(data), digest(data))
    except OSError as error:
        print(type(error).__name__)


def datagrams(size="65536"):
    """Says what came, and sends it back in capitals."""
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.bind(("", 53))
    print("ready")
    while True:
        data, sender = s.recvfrom(int(size))
        print(len(data), digest(data))
        try:
            s.sendto(data.upper(), sender)
        except OSError as error:
            print(type(error).__name__)


def lazy_datagrams():
    """Reads only when it is told to, and then all there is."""
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.bind(("", 53))
    print("ready")
    lines.readline()
    s.settimeout(0.3)
    count = 0
    try:
        while True:
            data = s.recv(65536)
            count += 1
    except OSError:
        print("read", count, len(data))
    s.settimeout(None)
    while True:
        data, sender = s.recvfrom(65536)
        s.sendto(data.upper(), sender)


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])
