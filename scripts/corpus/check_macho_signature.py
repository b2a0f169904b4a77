#!/usr/bin/env python3
"""Recomputes every page hash of every CodeDirectory of Mach-O files, by struct and hashlib alone.

    check_macho_signature.py FILE...          one line for each slice; status 1 if a hash is wrong
    check_macho_signature.py --edited OLD NEW also: which bytes differ, and are they all in the
                                              load commands or in hash slots of touched pages?

The rules are those of xnu's cs_blobs.h and of cctools' loader.h; nothing is shared with tfpatch.
"""

import hashlib
import mmap
import struct
import sys

FAT, FAT64 = 0xCAFEBABE, 0xCAFEBABF
MH_64, MH_32 = 0xFEEDFACF, 0xFEEDFACE
LC_SEGMENT_64, LC_CODE_SIGNATURE, LC_RPATH = 0x19, 0x1D, 0x8000001C
ZEROFILL = (0x1, 0xC, 0x12)
HASHES = {
    1: (hashlib.sha1, 20),
    2: (hashlib.sha256, 32),
    3: (hashlib.sha256, 20),
    4: (hashlib.sha384, 48),
}
CPUS = {0x01000007: "x86_64", 0x0100000C: "arm64", 7: "i386", 12: "arm"}


class Fault(Exception):
    pass


def need(holds, what):
    if not holds:
        raise Fault(what)


def slices(data):
    magic, count = struct.unpack_from(">II", data)
    if magic == FAT:
        return [struct.unpack_from(">5I", data, 8 + 20 * i)[2:4] for i in range(count)]
    if magic == FAT64:
        return [struct.unpack_from(">IIQQ", data, 8 + 32 * i)[2:4] for i in range(count)]
    return [(0, len(data))]


class Slice:
    def __init__(self, data, start, size):
        self.data, self.start, self.size = data, start, size
        need(start + size <= len(data), "slice outside the file")
        fields = struct.unpack_from("<8I", data, start)
        magic, cpu, _, _, self.ncmds, self.sizeofcmds = fields[:6]
        need(magic == MH_64, f"magic {magic:#x}")
        self.arch = CPUS.get(cpu, hex(cpu))
        self.rpaths, self.signature, self.limit = [], None, size
        at, end = start + 32, start + 32 + self.sizeofcmds
        for _ in range(self.ncmds):
            cmd, length = struct.unpack_from("<II", data, at)
            need(length >= 8 and length % 8 == 0 and at + length <= end, "bad cmdsize")
            if cmd == LC_RPATH:
                (offset,) = struct.unpack_from("<I", data, at + 8)
                text = data[at + offset : at + length]
                need(b"\0" in text, "rpath without NUL")
                self.rpaths.append(text.split(b"\0")[0].decode())
            elif cmd == LC_CODE_SIGNATURE:
                self.signature = struct.unpack_from("<II", data, at + 8)
            elif cmd == LC_SEGMENT_64:
                self.segment(at)
            at += length
        need(at == end, "ncmds and sizeofcmds disagree")
        self.end = 32 + self.sizeofcmds
        need(self.end <= self.limit, "load commands reach into a section")
        self.directories = list(self.read_directories()) if self.signature else []

    def segment(self, at):
        fileoff, filesize = struct.unpack_from("<QQ", self.data, at + 40)
        (nsects,) = struct.unpack_from("<I", self.data, at + 64)
        need(fileoff + filesize <= self.size, "segment outside the slice")
        if nsects == 0 and fileoff:
            self.limit = min(self.limit, fileoff)
        for i in range(nsects):
            section = at + 72 + 80 * i
            size, offset = struct.unpack_from("<QI", self.data, section + 40)
            (flags,) = struct.unpack_from("<I", self.data, section + 64)
            if size and flags & 0xFF not in ZEROFILL:
                self.limit = min(self.limit, offset)

    def read_directories(self):
        offset, size = self.signature
        base = self.start + offset
        magic, length, count = struct.unpack_from(">3I", self.data, base)
        need(magic == 0xFADE0CC0 and length <= size, "bad SuperBlob")
        blobs = [struct.unpack_from(">II", self.data, base + 12 + 8 * i) for i in range(count)]
        self.cms = 0
        for slot, at in blobs:
            blob = base + at
            magic, size = struct.unpack_from(">II", self.data, blob)
            need(at + size <= length, "blob outside the SuperBlob")
            if slot == 0x10000:
                self.cms = size
            if slot == 0 or 0x1000 <= slot <= 0x1005:
                need(magic == 0xFADE0C02, "bad CodeDirectory")
                yield Directory(self, blob, blobs, base)


class Directory:
    def __init__(self, owner, at, blobs, base):
        data = owner.data
        fields = struct.unpack_from(">9I", data, at)
        _, self.length, self.version, self.flags, hash_offset, ident, special, slots, limit = fields
        size, kind, _, log2 = struct.unpack_from(">4B", data, at + 36)
        need(kind in HASHES and HASHES[kind][1] == size, "hash type")
        if self.version >= 0x20300:
            limit = struct.unpack_from(">Q", data, at + 56)[0] or limit
        self.kind, self.size, self.limit, self.slots = kind, size, limit, slots
        self.page = 1 << log2 if log2 else max(limit, 1)
        self.hashes = at + hash_offset
        self.identifier = bytes(data[at + ident : at + ident + 200]).split(b"\0")[0]
        need(slots == -(-limit // self.page), "number of pages")
        need(owner.signature[0] >= limit, "signs itself")
        self.bad_special = []
        for slot, offset in blobs:
            if 1 <= slot <= special:
                (n,) = struct.unpack_from(">I", data, base + offset + 4)
                start = self.hashes - slot * size
                there = data[start : start + size]
                blob = data[base + offset : base + offset + n]
                if there != HASHES[kind][0](blob).digest()[:size]:
                    self.bad_special.append(slot)

    def bad_pages(self, owner):
        for page in range(self.slots):
            start = page * self.page
            end = min(start + self.page, self.limit)
            digest = HASHES[self.kind][0](owner.data[owner.start + start : owner.start + end]).digest()
            at = self.hashes + page * self.size
            if digest[: self.size] != owner.data[at : at + self.size]:
                yield page


def read(path):
    with open(path, "rb") as file:
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


def parse(path):
    data = read(path)
    return data, [Slice(data, *where) for where in slices(data)]


def check(path):
    data, found = parse(path)
    lines = []
    for one in found:
        bad = {}
        for directory in one.directories:
            pages = list(directory.bad_pages(one))
            if pages:
                bad[directory.kind] = pages[:5]
            need(not directory.bad_special, f"special hashes {directory.bad_special}")
        need(not bad, f"{one.arch}: pages that do not match: {bad}")
        need(one.directories or one.arch != "arm64", "arm64 without a signature")
        kinds = "+".join(str(directory.kind) for directory in one.directories) or "unsigned"
        lines.append(f"{one.arch} hashes {kinds} rpaths {len(one.rpaths)}")
    return data, found, lines


def differing(old, new, length):
    """Offsets that differ, as ranges."""
    ranges, step = [], 1 << 20
    for base in range(0, length, step):
        a, b = old[base : min(base + step, length)], new[base : min(base + step, length)]
        if a == b:
            continue
        for i, (x, y) in enumerate(zip(a, b)):
            if x != y:
                if ranges and ranges[-1][1] == base + i:
                    ranges[-1][1] += 1
                else:
                    ranges.append([base + i, base + i + 1])
    return ranges


def check_edit(old_path, new_path):
    new, new_slices, lines = check(new_path)
    old, old_slices = parse(old_path)
    need(len(old) == len(new), f"the size changed by {len(new) - len(old)}")
    allowed = []
    for a, b in zip(old_slices, new_slices):
        need((a.start, a.size, a.arch) == (b.start, b.size, b.arch), "slices moved")
        end = max(a.end, b.end)
        allowed += [(a.start + 16, a.start + 24), (a.start + 32, a.start + end)]
        for directory in b.directories:
            pages = -(-end // directory.page)
            allowed.append((directory.hashes, directory.hashes + pages * directory.size))
    changed = differing(old, new, len(old))
    for start, end in changed:
        need(any(a <= start and end <= b for a, b in allowed), f"{start:#x}..{end:#x} changed")
    lines.append(f"changed {sum(end - start for start, end in changed)} bytes")
    return lines


def main():
    arguments = sys.argv[1:]
    if not arguments:
        sys.exit(__doc__)
    status = 0
    try:
        if arguments[0] == "--edited":
            print(*check_edit(*arguments[1:]), sep="; ")
            return
    except (Fault, struct.error) as fault:
        sys.exit(f"{arguments[-1]}: {fault}")
    for path in arguments:
        try:
            print(f"{path}: " + "; ".join(check(path)[2]))
        except (Fault, struct.error) as fault:
            print(f"{path}: {fault}", file=sys.stderr)
            status = 1
    sys.exit(status)


if __name__ == "__main__":
    main()
