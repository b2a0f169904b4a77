"""What the doctor must say, written down before it could: fixtures/cases/GROUP.toml, a table for each case.

cause     the cause of the worst finding; "none" for a sound environment; "refused" for one in which
          nothing can be judged, where the doctor ends with 2 and an error that holds the names
severity  its severity
says      the interpreter's own words for it: each has to be in what it prints
imports   true where the error shows later than at the import
explained false where the words are not a loader's: tfpatch explain may decline them
names     words that the finding's message, cure or library has to hold, such as the version that fits
"""

import tomllib
from dataclasses import dataclass, field

SOUND = "none"
REFUSED = "refused"


@dataclass
class Expectation:
    cause: str
    severity: str = SOUND
    says: list = field(default_factory=list)
    imports: bool = False
    explained: bool = True
    names: list = field(default_factory=list)


def read(directory):
    """Every expectation, by the name of its case."""
    found = {}
    for file in sorted(directory.glob("*.toml")):
        for name, fields in tomllib.loads(file.read_text()).items():
            found[f"{file.stem}/{name}"] = Expectation(**fields)
    return found
