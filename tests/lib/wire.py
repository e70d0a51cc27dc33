# SPDX-License-Identifier: Apache-2.0
"""The other end of a guest's network device, for tests: rings of packets (include/dayfly/net.h), IPv4, and a TCP that does as it is told.

Outpost is a folder with the dayfly command in which `dayfly-net` is a script that hands its descriptors to us: so the command starts
guests as ever, and their packets come here. Device is one guest's end of it; one thread may use it. Tcp is one connection over it, which
keeps to the rules unless it is told otherwise: packet() makes any segment, write() and read() send again what is lost.
"""

import array
import collections
import ctypes
import mmap
import os
import random
import select
import shutil
import socket
import struct
import subprocess
import threading
import time

from suite import BUILD, DAYFLY_ENV, end, start

GUEST, GATEWAY = "10.0.2.15", "10.0.2.2"
GUEST6, GATEWAY6 = "fd44:6179:666c::15", "fd44:6179:666c::2"
RING_BYTES, HEAD, SKIP, DEVICE_BYTES = 1 << 20, 8, 0xffffffff, 4 << 20
ICMP, TCP, UDP = 1, 6, 17
FIN, SYN, RST, PSH, ACK, URG = 1, 2, 4, 8, 16, 32

SCRIPT = """#!/usr/bin/python3 -ISE
import array, os, socket, sys
words = dict(word[2:].split("=", 1) for word in sys.argv[1:] if "=" in word)
with socket.socket(socket.AF_UNIX) as s:
    s.connect(os.path.dirname(sys.argv[0]) + "/socket")
    fds = array.array("i", [int(words["life"]), *map(int, words["guest"].split(","))])
    s.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, fds)])
    s.recv(1)
"""


class Missing(Exception):
    """What should have come did not."""


class Outpost:
    def __init__(self, directory):
        self.directory, self.lock = directory, threading.Lock()
        shutil.copy(os.path.join(BUILD, "bin", "dayfly"), directory)
        for name in ("dayfly-monitor", "dayfly-kernel", "dayfly-backtrace"):
            os.symlink(os.path.join(BUILD, "bin", name), os.path.join(directory, name))
        with open(os.path.join(directory, "dayfly-net"), "w") as f:
            f.write(SCRIPT)
        os.chmod(f.name, 0o755)
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(os.path.join(directory, "socket"))
        self.listener.listen()
        self.listener.settimeout(30)

    def start(self, *words):
        """A guest: its process and its Device. `words` are those behind `dayfly run --net`."""
        with self.lock:
            process = start([os.path.join(self.directory, "dayfly"), "run", "--net", *words], env=DAYFLY_ENV, stdin=subprocess.PIPE)
            try:
                with self.listener.accept()[0] as s:
                    fds = array.array("i", bytes(16))
                    _, more, _, _ = s.recvmsg(1, socket.CMSG_LEN(len(fds) * 4))
                    fds = array.array("i", more[0][2])
                    device = Device(*fds)
                    s.sendall(b"x")
            except OSError:
                end(process)
                raise
        return process, device


# --- packets ---

def checksum(data):
    value = int.from_bytes(data + bytes(len(data) % 2), "big")
    return 0xffff - (value % 0xffff or (0xffff if value else 0))


def ip(protocol, payload, *, src=GATEWAY, dst=GUEST, version=4, options=b"", head=None, total=None, fragment=0, ttl=64, check=None):
    """An IPv4 packet; what is given overrides what would be right."""
    head = 5 + len(options) // 4 if head is None else head
    total = 20 + len(options) + len(payload) if total is None else total

    def header(check):
        return struct.pack(">BBHHHBBH4s4s", version << 4 | head, 0, total, 1, fragment, ttl, protocol, check, socket.inet_aton(src),
                           socket.inet_aton(dst)) + options
    return header(checksum(header(0)) if check is None else check) + payload


def ip6(protocol, payload, *, src=GATEWAY6, dst=GUEST6, length=None, version=6, hops=64):
    length = len(payload) if length is None else length
    return (struct.pack(">IHBB", version << 28, length, protocol, hops) + socket.inet_pton(socket.AF_INET6, src) +
            socket.inet_pton(socket.AF_INET6, dst) + payload)


def pseudo(src, dst, protocol, length):
    return socket.inet_aton(src) + socket.inet_aton(dst) + struct.pack(">HH", protocol, length)


def udp(data, sport, dport, *, src=GATEWAY, dst=GUEST, length=None, check=None, **more):
    length = 8 + len(data) if length is None else length
    if check is None:
        check = checksum(pseudo(src, dst, UDP, length) + struct.pack(">HHHH", sport, dport, length, 0) + data) or 0xffff
    return ip(UDP, struct.pack(">HHHH", sport, dport, length, check) + data, src=src, dst=dst, **more)


def icmp(kind, code, rest, **more):
    body = struct.pack(">BBH", kind, code, 0) + rest
    return ip(ICMP, body[:2] + struct.pack(">H", checksum(body)) + rest, **more)


class Packet:
    """A packet of the guest, taken apart."""

    def __init__(self, raw):
        self.raw = raw
        if raw[0] >> 4 == 4:
            head = (raw[0] & 15) * 4
            total, self.protocol = struct.unpack(">2xH5xB", raw[:10])
            self.src, self.dst = socket.inet_ntoa(raw[12:16]), socket.inet_ntoa(raw[16:20])
        else:
            head = 40
            total, self.protocol = 40 + struct.unpack(">H", raw[4:6])[0], raw[6]
            self.src, self.dst = (socket.inet_ntop(socket.AF_INET6, raw[at:at + 16]) for at in (8, 24))
        self.payload = raw[head:total]
        self.sport = self.dport = None
        if self.protocol in (TCP, UDP):
            self.sport, self.dport = struct.unpack(">HH", self.payload[:4])
        if self.protocol == TCP:
            self.seq, self.ack, place, self.flags, self.window = struct.unpack(">IIBBH", self.payload[4:16])
            self.options, self.data = self.payload[20:(place >> 4) * 4], self.payload[(place >> 4) * 4:]
        elif self.protocol == UDP:
            self.data = self.payload[8:]


# --- the device ---

class Ring:
    def __init__(self, memory, number):
        self.tail = ctypes.c_uint32.from_buffer(memory, number * 128)
        self.head = ctypes.c_uint32.from_buffer(memory, number * 128 + 64)
        self.sleeping = ctypes.c_uint32.from_buffer(memory, number * 128 + 68)
        self.memory, self.start, self.at = memory, (number + 1) * RING_BYTES, 0

    def word(self):
        return ctypes.c_uint32.from_buffer(self.memory, self.start + self.at % RING_BYTES)

    def put(self, packet):
        """False: there is no room."""
        need, left = HEAD + (len(packet) + 7 & ~7), RING_BYTES - self.at % RING_BYTES
        skip = left if need > left else 0
        if need + skip > RING_BYTES - (self.at - self.head.value & 0xffffffff):
            return False
        if skip:
            self.word().value = SKIP
            self.at += skip
        place = self.start + self.at % RING_BYTES
        self.word().value = len(packet)
        self.memory[place + HEAD:place + HEAD + len(packet)] = packet
        self.at += need
        self.tail.value = self.at & 0xffffffff
        return True

    def empty(self):
        return self.tail.value == self.at & 0xffffffff

    def get(self):
        if self.empty():
            return None
        if self.word().value == SKIP:
            self.at += RING_BYTES - self.at % RING_BYTES
        bytes_, place = self.word().value, self.start + self.at % RING_BYTES
        packet = self.memory[place + HEAD:place + HEAD + bytes_]
        self.at += HEAD + (bytes_ + 7 & ~7)
        self.head.value = self.at & 0xffffffff
        return packet


class Device:
    """`into` and `out` are what the wire does with a packet to and from the guest: a function that answers the packets that arrive."""

    def __init__(self, life, memory, kick, wake):
        os.write(life, b"x")  # ready
        self.memory = mmap.mmap(memory, DEVICE_BYTES)
        os.close(memory)
        self.from_guest, self.to_guest = Ring(self.memory, 0), Ring(self.memory, 1)
        self.life, self.kick, self.wake = life, kick, wake
        self.pending = collections.deque()
        self.into = self.out = lambda packet: [packet]

    def close(self):
        for fd in (self.life, self.kick, self.wake):
            os.close(fd)

    def flush(self):
        if self.to_guest.sleeping.value:
            self.to_guest.sleeping.value = 0
            os.write(self.wake, struct.pack("=Q", 1))

    def put(self, packet):
        """Past `into`, and without waking the guest."""
        deadline = time.monotonic() + 10
        while not self.to_guest.put(packet):
            self.flush()
            self.fill()
            if time.monotonic() > deadline:
                raise Missing("the guest takes no packets any more")
            time.sleep(0.001)

    def send(self, *packets):
        for packet in packets:
            for arrives in self.into(packet):
                self.put(arrives)
        self.flush()

    def fill(self):
        """Takes what the guest has sent. True: there was something."""
        some = False
        while raw := self.from_guest.get():
            some = True
            for arrives in self.out(raw):
                packet = Packet(arrives)
                self.pending.append(packet)
        return some

    def sleep(self, seconds):
        self.from_guest.sleeping.value = 1
        if self.from_guest.empty() and select.select([self.kick], [], [], seconds)[0]:
            os.read(self.kick, 8)
        self.from_guest.sleeping.value = 0

    def take(self, match, seconds):
        """The first packet that match(packet) likes, or None when it does not come in time."""
        deadline = time.monotonic() + seconds
        while True:
            for packet in self.pending:
                if match(packet):
                    self.pending.remove(packet)
                    return packet
            if not self.fill():
                left = deadline - time.monotonic()
                if left <= 0:
                    return None
                self.sleep(min(left, 0.05))


# --- TCP ---

def mss_option(mss):
    return struct.pack(">BBH", 2, 4, mss)


def before(a, b):
    """Of sequence numbers."""
    return (a - b & 0xffffffff) > 0x7fffffff


class Tcp:
    AGAIN = 0.15  # seconds until something is sent again

    def __init__(self, device, guest_port=80, *, port=None, address=GATEWAY, iss=None, mss=1460, window=65535):
        self.device, self.guest_port, self.address = device, guest_port, address
        self.port = port or random.randrange(1024, 65536)
        self.una = self.nxt = random.getrandbits(32) if iss is None else iss
        self.rcv, self.mss, self.window = 0, mss, window
        self.their_window = 0
        self.got, self.early = bytearray(), {}
        self.fin_at = None  # the guest's FIN, when it is known
        self.reset = False

    # One segment.

    def packet(self, flags, data=b"", *, seq=None, ack=None, window=None, options=b"", urgent=0, place=None, check=None, **more):
        seq, ack = self.nxt if seq is None else seq, self.to_acknowledge() if ack is None else ack
        place = 5 + len(options) // 4 if place is None else place
        src, dst = more.setdefault("src", self.address), more.setdefault("dst", GUEST)

        def segment(check):
            return struct.pack(">HHIIBBHHH", self.port, self.guest_port, seq & 0xffffffff, ack & 0xffffffff if flags & ACK else 0, place << 4,
                               flags, self.window if window is None else window, check, urgent) + options + data
        body = segment(0)
        return ip(TCP, segment(checksum(pseudo(src, dst, TCP, len(body)) + body) if check is None else check), **more)

    def send(self, flags, data=b"", **more):
        self.device.send(self.packet(flags, data, **more))

    def is_mine(self, packet):
        return packet.protocol == TCP and (packet.dst, packet.dport, packet.sport) == (self.address, self.port, self.guest_port)

    def next(self, seconds=3, good=lambda packet: True):
        return self.device.take(lambda p: self.is_mine(p) and good(p), seconds)

    def expect(self, what, good, seconds=3):
        packet = self.next(seconds, good)
        if not packet:
            raise Missing(f"{what} did not come")
        return packet

    def silent(self, seconds=0.3, good=lambda packet: True):
        return self.next(seconds, good) is None

    # Beginning.

    def established(self, packet):
        self.rcv, self.their_window = packet.seq + 1 & 0xffffffff, packet.window
        self.una = self.nxt = packet.ack
        return self

    def open(self, seconds=3, options=None, **more):
        """A connection to the guest."""
        options = mss_option(self.mss) if options is None else options
        deadline, answer = time.monotonic() + seconds, None
        while not answer:
            if time.monotonic() > deadline:
                raise Missing("the answer to a SYN did not come")
            self.send(SYN, options=options, **more)
            answer = self.next(self.AGAIN * 2, lambda p: p.flags & SYN or p.flags & RST)
        if answer.flags & RST:
            raise ConnectionRefusedError
        self.established(answer).send(ACK)
        return self

    def called(self, seconds=8):
        """The guest's SYN to our port; its port is the connection's from now on."""
        packet = self.device.take(lambda p: p.protocol == TCP and p.dport == self.port and p.flags & (SYN | ACK) == SYN, seconds)
        if not packet:
            raise Missing("the guest's SYN did not come")
        self.guest_port, self.rcv, self.their_window = packet.sport, packet.seq + 1 & 0xffffffff, packet.window
        return self

    def accept(self, seconds=8):
        self.called(seconds)
        self.device.send(self.packet(SYN | ACK, options=mss_option(self.mss)))
        self.una = self.nxt = self.nxt + 1 & 0xffffffff
        return self

    # Moving data, by the rules.

    def take_in(self, packet):
        """What a segment of the guest says; acknowledges it if there is something to acknowledge."""
        if packet.flags & RST:
            self.reset = True
            return
        if packet.flags & ACK and before(self.una, packet.ack) and not before(self.nxt, packet.ack):
            self.una = packet.ack
        self.their_window = packet.window
        if packet.data:
            self.early[packet.seq] = max(self.early.get(packet.seq, b""), packet.data, key=len)
        if packet.flags & FIN:
            self.fin_at = packet.seq + len(packet.data) & 0xffffffff
        for seq in sorted(self.early, key=lambda s: s - self.rcv + (1 << 31) & 0xffffffff):
            if not before(self.rcv, seq):
                skip, data = self.rcv - seq & 0xffffffff, self.early.pop(seq)
                self.got += data[skip:]
                self.rcv = self.rcv + max(0, len(data) - skip) & 0xffffffff
        if packet.data or packet.flags & (FIN | SYN):
            self.send(ACK)

    def to_acknowledge(self):
        return self.rcv + (self.fin_at == self.rcv)

    def ended(self):
        return self.reset or self.fin_at == self.rcv

    def pump(self, done, data=b"", fin=False, seconds=20):
        """Sends data and FIN, and takes what comes, until done()."""
        base, size = self.una, len(data) + fin
        deadline, again = time.monotonic() + seconds, 0
        while True:
            acked = self.una - base & 0xffffffff
            if acked >= size and done() or self.reset:
                break
            if time.monotonic() > deadline:
                raise Missing(f"after {seconds} s {acked} of {size} bytes are acknowledged, {len(self.got)} have come")
            if time.monotonic() > again:
                self.nxt, again = self.una, time.monotonic() + self.AGAIN
            room = self.their_window - (self.nxt - self.una & 0xffffffff)
            at = self.nxt - base & 0xffffffff
            if at < size and (room > 0 or at == acked):
                part = data[at:at + min(self.mss, max(room, 1))]
                last = fin and at + len(part) == len(data)
                self.send(ACK | FIN * last | PSH, part)
                self.nxt = self.nxt + len(part) + last & 0xffffffff
            packet = self.next(0 if at < size and room > 0 else 0.02)
            if packet:
                was = self.una
                self.take_in(packet)
                if self.una != was:
                    again = time.monotonic() + self.AGAIN

    def write(self, data, fin=False, seconds=20):
        self.pump(lambda: True, data, fin, seconds)

    def read(self, count=None, seconds=20):
        """`count` bytes, or all up to the end."""
        self.pump(lambda: self.ended() or count is not None and len(self.got) >= count, seconds=seconds)
        count = len(self.got) if count is None else count
        data = bytes(self.got[:count])
        del self.got[:count]
        return data

    def ask(self, data, fin=True, seconds=20):
        """Writes, ends our side, and reads to the end of the other."""
        self.pump(self.ended, data, fin, seconds)
        return self.read()
