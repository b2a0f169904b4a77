#!/usr/bin/env python3
"""Moves members of a wheel inside it: break_wheel.py WHEEL OUT FROM=TO...

RECORD follows: rows keep their place, hash and size, and get the new path. All bytes are copied as
they are; only RECORD is compressed anew. Prints OUT.
"""

import copy
import struct
import sys
import zipfile

wheel, out, *moves = sys.argv[1:]
moved = dict(move.split("=") for move in moves)
with zipfile.ZipFile(wheel) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
    members = old.infolist()
    unknown = set(moved) - {member.filename for member in members}
    if unknown:
        sys.exit(f"{wheel} has no {', '.join(sorted(unknown))}")
    for member in members:
        if member.filename.count("/") == 1 and member.filename.endswith(".dist-info/RECORD"):
            rows = old.read(member).decode().splitlines(keepends=True)
            changed = 0
            for index, row in enumerate(rows):
                path, rest = row.split(",", 1)
                if path in moved:
                    rows[index] = f"{moved[path]},{rest}"
                    changed += 1
            if changed != len(moved):
                sys.exit(f"RECORD lists {changed} of the {len(moved)} files")
            new.writestr(copy.copy(member), "".join(rows), member.compress_type)
            continue
        old.fp.seek(member.header_offset)
        name, extra = struct.unpack("<26xHH", old.fp.read(30))
        start = member.header_offset + 30 + name + extra
        copied = copy.copy(member)
        copied.filename = moved.get(member.filename, member.filename)
        copied.header_offset = new.fp.tell()
        copied.flag_bits &= ~8
        new.fp.write(copied.FileHeader(zip64=False))
        old.fp.seek(start)
        left = member.compress_size
        while left:
            piece = old.fp.read(min(left, 1 << 20))
            new.fp.write(piece)
            left -= len(piece)
        new.start_dir = new.fp.tell()
        new.filelist.append(copied)
        new.NameToInfo[copied.filename] = copied
        new._didModify = True
print(out)
