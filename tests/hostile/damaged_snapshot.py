# SPDX-License-Identifier: Apache-2.0
"""Snapshots that were changed at random: header and lists with their checksum made right, and the pages, which a
thaw does not check. Whatever the guest then does, the monitor must not crash, hang or read outside its memory."""

import os
import random
import re
import struct

from suite import run

HEADER = 4096
MAGIC = b"dfysnap1"
# Offsets in struct df_snapshot, as far as they are needed to make the checksum right.
CHECKSUM, HEADER_BYTES = 16, 12
ODD = [0, 1, 2, 7, 8, 4095, 4096, 4097, 1 << 20, 1 << 21, (1 << 31) - 1, 1 << 31, (1 << 32) - 1, 1 << 32, 1 << 36, 1 << 47,
       0x600000000000, 0x600000200000, 0x7f0000000000, (1 << 63) - 1, 1 << 63, (1 << 64) - 4096, (1 << 64) - 1]


def _table():
    table = []
    for n in range(256):
        for _ in range(8):
            n = n >> 1 ^ (0x82f63b78 if n & 1 else 0)
        table.append(n)
    return table


TABLE = _table()


def crc32c(data):
    crc = 0xffffffff
    for byte in data:
        crc = crc >> 8 ^ TABLE[(crc ^ byte) & 255]
    return crc ^ 0xffffffff


class Snapshot:
    def __init__(self, path):
        with open(path, "rb") as f:
            self.data = f.read()
        if not self.data.startswith(MAGIC):
            raise ValueError("not a snapshot")
        self.header_bytes = struct.unpack_from("<I", self.data, HEADER_BYTES)[0]
        # The lists lie between the first page and the pages.
        self.counts, self.offsets = self._find()

    def _find(self):
        """Where the header keeps counts and offsets of the two lists: the checksum is right for these only."""
        for at in range(40, 200, 4):
            extents, learned = struct.unpack_from("<2I", self.data, at)
            where = (at + 12 + 7) & ~7
            first, second, pages, self.page_bytes = struct.unpack_from("<4Q", self.data, where)
            if first >= HEADER and first % 8 == 0 and first <= second <= pages < len(self.data) and \
                    pages % 4096 == 0 and second >= first + 16 * extents and self._sum(self.data, extents, learned, first,
                                                                                   second) == self.checksum(self.data):
                return (extents, learned), (first, second, pages)
        raise ValueError("the lists of the snapshot were not found")

    @staticmethod
    def checksum(data):
        return struct.unpack_from("<Q", data, CHECKSUM)[0]

    def _sum(self, data, extents, learned, first, second):
        header = bytearray(data[:self.header_bytes])
        header[CHECKSUM:CHECKSUM + 8] = bytes(8)
        return crc32c(bytes(header) + bytes(data[first:first + 16 * extents]) + bytes(data[second:second + 16 * learned]))

    def damage(self, seed):
        """What the seed makes of it: the bytes of a file."""
        chance = random.Random(seed)
        data = bytearray(self.data)
        kind = seed % 4
        first, second, pages = self.offsets

        def change(low, high):
            width = chance.choice((1, 2, 4, 8))
            at = chance.randrange(low, high) // width * width
            value = chance.choice(ODD) if chance.random() < 0.6 else chance.getrandbits(64)
            data[at:at + width] = (value & (1 << 8 * width) - 1).to_bytes(width, "little")

        if kind == 0:  # a field of the header behind the checksums
            for _ in range(chance.randint(1, 2)):
                change(40, self.header_bytes)
        elif kind == 1:  # the lists
            for _ in range(chance.randint(1, 4)):
                change(first, second + 16 * self.counts[1])
        elif kind == 2:  # some words of the pages
            for _ in range(chance.choice((1, 20, 500, 20000))):
                change(pages, pages + self.page_bytes)
        else:  # one page all through, or the end of the file
            if chance.random() < 0.3:
                del data[chance.randrange(len(data)):]
            else:
                at = pages + chance.randrange(self.page_bytes // 4096) * 4096
                data[at:at + 4096] = chance.choice((bytes(4096), b"\xff" * 4096, chance.randbytes(4096)))
        if kind < 2:
            struct.pack_into("<Q", data, CHECKSUM, self._sum(data, *self.counts, first, second))
        return data


def serve(command, snapshot, seed, path, env):
    """Serves a damaged snapshot; what was wrong with it, or None."""
    with open(path, "wb") as f:
        f.write(snapshot.damage(seed))
    result = run([*command, "--snapshot", path], env=env, seconds=40)
    os.unlink(path)
    said = result.out_text() + result.err_text()
    if result.limit:
        return f"seed {seed}: {result.limit}"
    if re.search(r"Sanitizer|runtime error|ended by signal|no reply|please report", said) or result.status > 2:
        return f"seed {seed}: status {result.status}: {said[-600:]}"
    return None
