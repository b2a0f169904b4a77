"""The cases, by what they are about: each module of this package registers its own."""

import importlib
import pkgutil


def load():
    for module in sorted(found.name for found in pkgutil.iter_modules(__path__)):
        importlib.import_module(f"{__name__}.{module}")
