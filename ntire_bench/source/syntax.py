"""What a file's own command line has where nothing is given, read from its syntax tree."""

from __future__ import annotations

import ast

__all__ = ["argument_defaults"]


def argument_defaults(tree: ast.Module) -> dict[str, tuple[ast.expr | None, ast.expr | None]]:
    """Return the command-line arguments that a file declares: name, default, and type.

    Only calls of a method add_argument are looked at; either is None where none is given.

    >>> tree = ast.parse('parser.add_argument("--model-id", default=0, type=int)')
    >>> [(name, *map(ast.unparse, both)) for name, both in argument_defaults(tree).items()]
    [('model_id', '0', 'int')]
    """
    found: dict[str, tuple[ast.expr | None, ast.expr | None]] = {}
    for node in ast.walk(tree):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
            continue
        if node.func.attr == "set_defaults":
            found.update({part.arg: (part.value, None) for part in node.keywords if part.arg})
        if node.func.attr != "add_argument":
            continue
        names = [part.value for part in node.args if isinstance(part, ast.Constant)]
        options = {part.arg: part.value for part in node.keywords}
        flags = [name for name in names if isinstance(name, str)]
        long = [name for name in flags if name.startswith("--")] or flags
        dest = options.get("dest")
        if not long and dest is None:
            continue
        name = dest.value if isinstance(dest, ast.Constant) else long[0].lstrip("-").replace("-", "_")
        action = options.get("action")
        default = options.get("default")
        if default is None and isinstance(action, ast.Constant):
            default = ast.Constant({"store_true": False, "store_false": True}.get(str(action.value)))
        found[str(name)] = (default, options.get("type"))
    return found
