"""What others say about an object: pyelftools, readelf, eu-elflint. Nothing here asks tfpatch."""

import collections
import hashlib
import re
import subprocess

from elftools.elf.constants import P_FLAGS
from elftools.elf.dynamic import Dynamic
from elftools.elf.elffile import ELFFile

SEARCH_PATHS = {"DT_RPATH": "rpath", "DT_RUNPATH": "runpath"}


def facts(path):
    """What the dynamic loader goes by, as pyelftools reads it, and the same through the sections."""
    with open(path, "rb") as file:
        elf = ELFFile(file)
        segments = list(elf.iter_segments())
        dynamic = next((s for s in segments if s["p_type"] == "PT_DYNAMIC"), None)
        loads = [s for s in segments if s["p_type"] == "PT_LOAD"]
        found = {
            "type": elf["e_type"],
            "machine": elf["e_machine"],
            "size": file.seek(0, 2),
            "interpreter": any(s["p_type"] == "PT_INTERP" for s in segments),
            "loads": len(loads),
            "align": max((s["p_align"] for s in loads), default=0),
            "dynamic": dynamic is not None,
        }
        if dynamic is not None:
            # Without a string table given, pyelftools goes by DT_STRTAB and the segments.
            found |= tags(Dynamic(file, elf, None, dynamic["p_offset"], False))
            section = next((s for s in elf.iter_sections() if s["sh_type"] == "SHT_DYNAMIC"), None)
            found["sections"] = tags(section) if section else None
    return found


def tags(dynamic):
    """The dependencies, the name and the search paths that a dynamic table holds."""
    found = {"needed": [], "soname": None, "search": [], "offset": None}
    for tag in dynamic.iter_tags():
        kind = tag.entry.d_tag
        if kind == "DT_NEEDED":
            found["needed"].append(tag.needed)
        elif kind == "DT_SONAME":
            found["soname"] = tag.soname
        elif kind in SEARCH_PATHS:
            found["search"].append([kind, getattr(tag, SEARCH_PATHS[kind])])
            found["offset"] = tag.entry.d_val
    return found


def rung(before, after):
    """Which way of editing was taken, by what changed in the file."""
    if after["loads"] > before["loads"]:
        return "segment"
    if after["size"] > before["size"]:
        return "tail"
    return "slot" if after["offset"] == before["offset"] else "repoint"


def output(*command, timeout=600):
    """Standard output and standard error of a tool, whatever its status."""
    done = subprocess.run(command, capture_output=True, timeout=timeout, errors="replace")
    return done.stdout, done.stderr


def complaints(path):
    """What `readelf -aW` has to complain about, with the numbers taken out, and how often."""
    command = ["readelf", "-aW", path]
    done = subprocess.run(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, timeout=900, errors="replace"
    )
    return normal(done.stderr, path)


def lint(path):
    """What `eu-elflint` has to complain about, with the numbers taken out, and how often."""
    stdout, stderr = output("eu-elflint", "--gnu-ld", path, timeout=900)
    lines = [line for line in (stdout + stderr).splitlines() if line != "No errors"]
    return normal("\n".join(line for line in lines if not mistaken(line, path)), path)


def mistaken(line, path):
    """Whether eu-elflint takes a relocation for one of a read-only segment, and is wrong.

    It adds the size of the symbol, a function's for instance, to the place that is relocated, and
    so complains of a pointer in writable data where a read-only segment follows not far behind.
    """
    found = re.match(r"section \[ *(\d+)\] .*: relocation (\d+): read-only section modified", line)
    if not found:
        return False
    with open(path, "rb") as file:
        elf = ELFFile(file)
        place = elf.get_section(int(found[1])).get_relocation(int(found[2]))["r_offset"]
        return any(
            segment["p_type"] == "PT_LOAD"
            and segment["p_flags"] & P_FLAGS.PF_W
            and segment["p_vaddr"] <= place < segment["p_vaddr"] + segment["p_memsz"]
            for segment in elf.iter_segments()
        )


def normal(text, path):
    lines = (re.sub(r"0x[0-9a-f]+|\d+", "N", line.replace(str(path), "FILE")) for line in text.splitlines())
    return collections.Counter(line for line in lines if line.strip())


def worse(kind, before, after):
    """The complaints that an edit brought. `before` is asked for only where there are any."""
    now = kind(after)
    if not now:
        return []
    new = now - kind(before)
    return [f"{kind.__name__}: {line} ({count} more)" for line, count in new.items()]


def symbols(path):
    """A digest of all dynamic symbols and versions, names included. Places of tables are left out."""
    stdout, _ = output("readelf", "-W", "--dyn-syms", "-V", path, timeout=900)
    same_place = re.sub(r"(Addr|Offset): 0x[0-9a-f]+|Link: .*", "", stdout)
    return hashlib.sha256(same_place.encode()).hexdigest()
