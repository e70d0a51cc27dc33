# SPDX-License-Identifier: Apache-2.0
"""Crash reports about damaged ELF files: dayfly-backtrace alone, with this program as its monitor.

The file is a true one with a few bytes changed in what libdw reads (headers, symbols, frame and line
information), or cut short; the stack holds plausible return addresses. The helper may find nothing, but must
end by itself, soon. The same seed makes the same file.
"""

import random
import socket
import struct
import subprocess

MAGIC = 0x7462666479616C66  # wire.h
MODULES = 48
SP = 0x7F00007FF800
SECONDS = 10


class Elf:
    def __init__(self, path):
        with open(path, "rb") as f:
            self.bytes = f.read()
        offset, = struct.unpack_from("<Q", self.bytes, 40)
        count, names = struct.unpack_from("<HH", self.bytes, 60)
        sections = [struct.unpack_from("<IIQQQQIIQQ", self.bytes, offset + 64 * i) for i in range(count)]
        self.sections = {self.string(sections[names][4] + s[0]): s for s in sections}
        self.areas = [(s[4], s[5]) for name, s in self.sections.items()
                      if s[5] and name.startswith((".eh_frame", ".debug", ".symtab", ".strtab"))]
        self.areas += [(0, 1024), (offset, 64 * count)]

    def string(self, at):
        return self.bytes[at:self.bytes.index(b"\0", at)].decode()

    def address(self, name):
        symbols, strings = self.sections[".symtab"], self.sections[".strtab"]
        for at in range(symbols[4], symbols[4] + symbols[5], 24):
            word, _, _, _, value, _ = struct.unpack_from("<IBBHQQ", self.bytes, at)
            if self.string(strings[4] + word) == name:
                return value
        raise KeyError(name)

    def damage(self, choice):
        data = bytearray(self.bytes)
        for _ in range(choice.choice([1, 2, 5, 20, 200])):
            offset, size = choice.choice(self.areas)
            at, width = offset + choice.randrange(size), choice.choice([1, 1, 2, 4, 8])
            value = choice.choice([0, -1, choice.getrandbits(64), 0x7FFFFFFF, 0x80, 1 << 63, choice.getrandbits(8)])
            data[at:at + width] = (value & ((1 << 8 * width) - 1)).to_bytes(width, "little")
        return data[:choice.randrange(len(data))] if choice.random() < 0.1 else data


def serve(helper_socket, stack):
    """Answers requests for pages until the helper has gone."""
    try:
        while len(request := helper_socket.recv(8)) == 8:
            page, = struct.unpack("<Q", request)
            helper_socket.sendall(b"\1" + stack if page == SP & ~4095 else b"\0")
    except OSError:
        pass


def trace(helper, elf, seed, path):
    """One report about a damaged file, which is written to `path`. None, or what was wrong."""
    choice = random.Random(seed)
    with open(path, "wb") as f:
        f.write(elf.damage(choice))
    inner, outer, main = (elf.address(name) for name in ("inner", "outer", "main"))
    stack = bytes(2048) + b"".join(
        struct.pack("<Q", choice.choice([outer + 9, main + 20, inner + 30, SP + i + 64])) for i in range(0, 2048, 8))
    registers = [0] * 18
    registers[4], registers[15], registers[17] = SP + 32, inner + 10, SP
    head = struct.pack("<Q18QQ", MAGIC, *registers, 1) + struct.pack("<QQQ216s", inner & ~0xFFF, main + 0x100000, 0x1000,
                                                                     b"/prog") + bytes(240 * (MODULES - 1))
    ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.settimeout(SECONDS)
    with ours:
        # The helper looks for its socket at descriptor 3.
        process = subprocess.Popen(["/bin/sh", "-c", f'exec "$0" "$@" 3<&{its.fileno()} 3>&{its.fileno()}', helper, "raw",
                                    path], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                   stderr=subprocess.DEVNULL, pass_fds=[its.fileno()])
        its.close()
        ours.sendall(head)
        serve(ours, stack)
        try:
            out, _ = process.communicate(timeout=SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            return f"seed {seed}: not finished after {SECONDS} s"
    if process.returncode:
        return f"seed {seed}: ended with {process.returncode}"
    return None if len(out.splitlines()) <= 34 else f"seed {seed}: {len(out.splitlines())} lines"
