#!/usr/bin/env python3
"""Checks a wheel by zipfile, csv and hashlib alone; nothing is shared with tfpatch.

    check_wheel.py WHEEL          every member inflates to its checksum, RECORD has a row for each
                                  file, and every row's hash and size is right
    check_wheel.py OLD NEW        NEW as above; and it has the members of OLD in their order, with
                                  their times, permissions and methods, and all but those whose
                                  content differs byte by byte as OLD has them compressed

Prints a line of figures, and with two wheels the members that differ. Status 1 where anything is
wrong.
"""

import base64
import csv
import hashlib
import io
import struct
import sys
import zipfile

PIECE = 1 << 20


def main():
    *olds, path = sys.argv[1:]
    wrong = []
    with zipfile.ZipFile(path) as new:
        sizes, digests = read_all(new)
        rows = check_record(new, sizes, digests, wrong)
        line = f"{path.rsplit('/', 1)[-1]}: {len(new.infolist())} members, {rows} rows of RECORD"
        for old_path in olds:
            with zipfile.ZipFile(old_path) as old:
                changed = compare(old, new, wrong)
            for name in changed:
                print(name)
            old_bytes = sum(member.compress_size for member in changed.values())
            line += f", {len(changed)} members differ, {old_bytes} bytes of the old wheel"
    print(f"{line}, {len(wrong)} wrong")
    for what in wrong[:20]:
        print(what, file=sys.stderr)
    return 1 if wrong else 0


def read_all(wheel):
    """Sizes and SHA-256 of all members; zipfile checks the CRC when a member ends."""
    sizes, digests = {}, {}
    for member in wheel.infolist():
        digest, size = hashlib.sha256(), 0
        with wheel.open(member) as file:
            while piece := file.read(PIECE):
                digest.update(piece)
                size += len(piece)
        sizes[member.filename] = size
        digests[member.filename] = digest.digest()
    return sizes, digests


def check_record(wheel, sizes, digests, wrong):
    names = [name for name in wheel.namelist() if not name.endswith("/")]
    if len(set(names)) != len(names):
        wrong.append("a member is there twice")
    (record,) = [n for n in names if n.count("/") == 1 and n.endswith(".dist-info/RECORD")]
    rows = list(csv.reader(io.StringIO(wheel.read(record).decode(), newline="")))
    for name, digest, size in rows:
        if name not in sizes:
            wrong.append(f"RECORD lists {name}, which is not there")
        elif digest:
            algorithm, value = digest.split("=", 1)
            found = base64.urlsafe_b64encode(digests[name]).rstrip(b"=").decode()
            if (algorithm, value, int(size)) != ("sha256", found, sizes[name]):
                wrong.append(f"RECORD is wrong about {name}")
    unsigned = {record, f"{record}.jws", f"{record}.p7s"}
    for name in set(names) - {row[0] for row in rows} - unsigned:
        wrong.append(f"RECORD does not list {name}")
    return len(rows)


def about(member):
    """What must not change."""
    return (
        member.filename,
        member.date_time,
        member.external_attr,
        member.internal_attr,
        member.create_system,
        member.create_version,
        member.extract_version,
        member.flag_bits,
        member.compress_type,
        member.comment,
    )


def raw(wheel, member):
    wheel.fp.seek(member.header_offset)
    name, extra = struct.unpack("<26xHH", wheel.fp.read(30))
    wheel.fp.seek(member.header_offset + 30 + name + extra)
    digest, left = hashlib.sha256(), member.compress_size
    while left:
        piece = wheel.fp.read(min(left, PIECE))
        digest.update(piece)
        left -= len(piece)
    return digest.digest()


def compare(old, new, wrong):
    if [about(member) for member in old.infolist()] != [about(m) for m in new.infolist()]:
        wrong.append("order, times, permissions or methods differ")
    if old.comment != new.comment:
        wrong.append("the comments differ")
    changed = {}
    for one, other in zip(old.infolist(), new.infolist()):
        if (one.CRC, one.file_size) != (other.CRC, other.file_size):
            changed[one.filename] = one
        elif raw(old, one) != raw(new, other):
            wrong.append(f"{one.filename} was compressed anew")
    return changed


sys.exit(main())
