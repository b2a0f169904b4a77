"""What a case is, and the list of all of them."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Callable

CASES = {}


@dataclass
class Trial:
    """What a case has built, and how it is looked at."""

    target: Path
    # Code for the environment's own interpreter; None where none can run it, as on another platform.
    code: str | None = None
    # The interpreter, where it is not the target's bin/python.
    python: Path | None = None
    # Variables for the interpreter and for the doctor; the runner's own are taken away.
    variables: dict = field(default_factory=dict)
    # Options for the doctor.
    options: list = field(default_factory=list)


@dataclass
class Case:
    """`build` takes an empty environment.Place, and returns a Trial."""

    name: str
    about: str
    quick: bool
    build: Callable


def case(quick):
    """Registers a function as a case, under its module's and its own name; its docstring says what the
    case is. A quick one needs no large download."""

    def register(build):
        add(f"{build.__module__.rpartition('.')[2]}/{build.__name__}", build.__doc__, quick, build)
        return build

    return register


def add(name, about, quick, build):
    """Registers a case that is made of data."""
    assert name not in CASES, f"two cases are called {name}"
    CASES[name] = Case(name, about.strip().splitlines()[0], quick, build)
