"""Whether a package does without one of its modules: by its sources, read by Python's own parser."""

import ast
from pathlib import Path

CAUGHT = {"ImportError", "ModuleNotFoundError", "OSError", "Exception", "BaseException"}


def catches(handler):
    kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return handler.type is None or any(ast.unparse(kind).split(".")[-1] in CAUGHT for kind in kinds)


def imports_of(tree, inside, package):
    """Every import below a node, as whole names, and whether something catches its failure."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Try):
            caught = inside or any(catches(handler) for handler in node.handlers)
            yield from imports_of(ast.Module(node.body, []), caught, package)
            yield from imports_of(ast.Module([*node.handlers, *node.orelse, *node.finalbody], []), inside, package)
        elif isinstance(node, ast.Import):
            yield from ((alias.name, inside) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            whole = ".".join([*above, *([node.module] if node.module else [])])
            yield whole, inside
            yield from ((f"{whole}.{alias.name}", inside) for alias in node.names)
        else:
            yield from imports_of(node, inside, package)


def is_guarded(site, module):
    """Is a module imported somewhere in the sources of its package, and everywhere with its failure caught?"""
    top, _, last = module.rpartition(".")
    found = []
    for file in Path(site, module.split(".")[0]).rglob("*.py") if top else ():
        text = file.read_bytes()
        if last.encode() in text:
            package = list(file.relative_to(site).parts[:-1])
            found += [inside for name, inside in imports_of(ast.parse(text), False, package) if name == module]
    return bool(found) and all(found)
