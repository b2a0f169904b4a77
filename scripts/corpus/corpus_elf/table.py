"""The table of a run, and the verdict."""

import collections

SOURCES = ["TensorFlow x86_64", "TensorFlow aarch64", "other wheels", "Debian libraries", "Debian executables"]
RUNGS = ["slot", "repoint", "tail", "segment"]
CHANGES = ["strip -g", "llvm-strip", "eu-strip", "objcopy", "patchelf", "64K pages"]
# The share of refused objects above which a run has failed.
REFUSED = 0.02


def columns(cases):
    """The figures of one row. A change by others counts where the untouched object survives it."""
    edits = collections.Counter(rung for case in cases for rung in case.get("rungs", []))
    row = {"objects": len(cases)}
    row |= {rung: edits[rung] for rung in RUNGS}
    row["loads before"] = sum(case.get("before") is True for case in cases)
    row["loads after"] = sum(case.get("after") is True for case in cases)
    row["by the new entry"] = sum(case.get("control") is True and case.get("after") is True for case in cases)
    for change in CHANGES:
        outcomes = [case["survived"][change] for case in cases if change in case.get("survived", {})]
        row[change] = f"{outcomes.count(True)}/{len(outcomes) - outcomes.count(None)}"
    row["refused"] = sum(bool(case.get("refused")) for case in cases)
    row["damaged"] = sum(bool(case["damaged"]) for case in cases)
    return row


def table(cases):
    """The table as text: a row for each source, and one for all."""
    rows = {source: columns([case for case in cases if case["source"] == source]) for source in SOURCES}
    rows["all"] = columns(cases)
    heads = list(rows["all"])
    widths = [max(len(head), *(len(str(row[head])) for row in rows.values())) for head in heads]
    lines = [" " * 20 + "  ".join(head.rjust(width) for head, width in zip(heads, widths))]
    for name, row in rows.items():
        lines.append(name.ljust(20) + "  ".join(str(row[head]).rjust(width) for head, width in zip(heads, widths)))
    return "\n".join(lines)


def report(cases):
    """Prints everything, and returns whether the run has passed."""
    print("\nslot, repoint, tail, segment: edits, up to three of an object. by the new entry: the untouched object")
    print("fails, for a library is where only the new entry leads. strip -g to 64K pages: edited objects that load")
    print("as before after that, of those whose untouched file does.\n")
    print(table(cases))
    refusals = collections.Counter(reason(case["refused"]) for case in cases if case.get("refused"))
    for why, count in refusals.most_common():
        print(f"refused {count}: {why}")
    damaged = [case for case in cases if case["damaged"]]
    for case in damaged:
        print(f"DAMAGED {case['name']}")
        for line in case["damaged"]:
            print(f"  {line}")
    refused = sum(refusals.values())
    enough = refused <= REFUSED * len(cases)
    print(f"\n{len(cases)} objects, {len(damaged)} damaged, {refused} refused ({refused / max(1, len(cases)):.2%})")
    return bool(cases) and not damaged and enough


def reason(text):
    """A refusal without the name of its object."""
    return text.splitlines()[0].split(": ", 2)[-1] if text else text
