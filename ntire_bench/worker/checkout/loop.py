"""How a checkout's own loop runs a network on an image, cut out of its syntax tree.

From the loop over the images of a test_demo.py is kept what leads from the LR tensor to the tensor that is
turned into the SR image: which forward function is chosen for whom, padding, tiles. Reading files, clocks,
logs and metrics are left out. Nothing is run here.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from ntire_bench.source.syntax import inner_bodies, names_bound, names_read
from ntire_bench.worker.checkout.conversions import IMAGE, LR, READING, TO_TENSOR, WHITE, converts
from ntire_bench.worker.checkout.roles import ROLES, File
from ntire_bench.worker.checkout.slicer import USUAL

__all__ = ["MAKE", "Loop", "find_loop"]


MAKE = "__make_step__"


@dataclass
class Loop:
    """What is left of a loop.

    Attributes:
        function: The function that it was in.
        code: A module that defines `MAKE`: called with the roles, it returns the function from LR tensor to
            output tensor.
        roles: The names that `MAKE` takes, and what each stands for: one of ROLES, or "" for what is not
            known outside the loop.
        calls: The calls that it runs the network with, as text.
        reads: Names of the file that it needs.
        lines: First and last line of each of `calls`, where it stands in the file.
        dropped: What the loop does to the SR image after its conversion and is not done: under which
            condition, and what, as text.
        whole: The same from where the LR image is read, if something may be done to it before it is a tensor.
        surmised: Whether what makes the LR tensor was taken for that because nothing more likely is there.
    """

    function: str
    code: ast.Module
    roles: dict[str, str]
    calls: list[str]
    reads: set[str] = field(default_factory=set)
    surmised: bool = False
    lines: dict[str, tuple[int, int]] = field(default_factory=dict)
    dropped: list[tuple[str, str]] = field(default_factory=list)
    whole: Loop | None = None


def find_loop(tree: ast.Module, select: ast.FunctionDef, parameter: str) -> Loop | None:
    """Return how a file runs the network that its select_model gives, or None if it has no such loop.

    Args:
        tree: The file.
        select: Its select_model.
        parameter: The parameter of it that holds the arguments.
    """
    file = File(tree, select, parameter)
    # Functions that get the network from select_model are more likely than others.
    for name in sorted(file.bodies, key=lambda name: "model" not in file.roles[name].values()):
        if name == select.name:
            continue
        found = _cut(file, name, TO_TENSOR)
        whole = _cut(file, name, IMAGE)
        if found is not None and whole is not None and _touched(found, whole):
            found.whole = whole
        found = found or whole or _cut(file, name, READING)
        if found is not None:
            return found
    return None


def _touched(loop: Loop, whole: Loop) -> bool:
    """Return whether something is done to an LR image before it becomes a tensor.

    Args:
        loop: Cut where the image becomes a tensor.
        whole: Cut where the image is read: with one statement more for that, if nothing else happens.
    """

    def statements(one: Loop) -> int:
        return sum(isinstance(node, ast.stmt) for node in ast.walk(one.code))

    return statements(whole) > statements(loop) + 1


def _cut(file: File, name: str, reading: re.Pattern[str]) -> Loop | None:
    body, function, made = file.bodies[name], file.functions.get(name), file.made(name)
    if not converts(body, made):
        return None
    before, inner, contexts, turns = _innermost(body, made)
    slicer = file.slicer(name, reading, made)
    step, needed = slicer.cut(inner, set())
    if not slicer.starts and reading is IMAGE:
        return None
    if not slicer.starts:  # the tensors may have been made before the loop
        own_turn = _from_before(turns, before, needed, reading)
        if own_turn is None:
            return None
        step, needed = [own_turn, *step], needed - names_bound([own_turn]) | names_read(own_turn)
    prepared, around = file.prepared(name)
    contexts = [*around, *_decorating(function), *contexts]
    if contexts:
        step = [ast.With(contexts, step)]
        needed |= names_read(contexts)
    setup, needed = slicer.cut(before, needed - {LR})
    known = {**file.roles[name], WHITE: "data_range", **{f"__{role}__": role for role in ROLES}}
    own = [] if function is None else _parameters(function)
    defaults = {} if function is None else _unasked(function, file.tree)
    own = [part for part in own if part not in defaults]
    setup = [
        *prepared,
        *(
            ast.Assign([ast.Name(part, ast.Store())], value)
            for part, value in defaults.items()
            if part in needed
        ),
        *setup,
    ]
    needed |= names_read(prepared) - names_bound(prepared) | names_read(prepared) & known.keys()
    needed -= defaults.keys() - known.keys()
    bound = names_bound(setup) | names_bound(step)
    for part in sorted(needed):
        if part in own and part not in known:
            known[part] = USUAL.get(part, "")
        elif part not in known and part != LR and not {part, "*"} & file.top:
            known[part] = "" if part in bound else USUAL.get(part, "")
    taken = {part: role for part, role in known.items() if part in needed}
    networks = _networks([*setup, *step], {part for part, role in known.items() if role == "model"})
    calls = [
        (ast.unparse(node), node.lineno, node.end_lineno or node.lineno)
        for statement in step
        for node in ast.walk(statement)
        if isinstance(node, ast.Call) and names_read([*node.args, *node.keywords, node.func]) & networks
    ]
    outermost = [
        call for call in calls if not any(call[0] != other and call[0] in other for other, *_ in calls)
    ]
    if not outermost:
        return None
    code = _code(setup, step, list(taken))
    lines = {text.replace(LR, "LR"): (first, last) for text, first, last in reversed(outermost)}
    shown = [text.replace(LR, "LR") for text, *_ in outermost]
    shown = list(dict.fromkeys(shown))
    surmised = reading is READING
    reads = needed - set(taken) - {LR}
    return Loop(name, code, taken, shown, reads, surmised, lines, list(slicer.dropped))


def _networks(statements: Sequence[ast.stmt], names: set[str]) -> set[str]:
    """Return names of networks, and of functions made inside the loop's function that call them."""
    found = set(names)
    makers: list[tuple[str, ast.AST]] = []
    for node in (part for top in statements for part in ast.walk(top)):
        if isinstance(node, ast.FunctionDef):
            makers.append((node.name, node))
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            partial = isinstance(node.value, ast.Call) and "partial" in ast.unparse(node.value.func)
            if partial or isinstance(node.value, ast.Lambda):
                makers.append((node.targets[0].id, node.value))
    while more := {name for name, node in makers if names_read(node) & found} - found:
        found |= more
    return found


def _decorating(function: ast.FunctionDef | None) -> list[ast.withitem]:
    """Return the autocasts that a function is decorated with."""
    decorators = [] if function is None else function.decorator_list
    return [ast.withitem(part) for part in decorators if "autocast" in ast.unparse(part)]


def _innermost(
    body: Sequence[ast.stmt], made: set[str] | None
) -> tuple[list[ast.stmt], Sequence[ast.stmt], list[ast.withitem], ast.For | None]:
    """Return what is done once before the innermost loop that makes images, its body, autocasts, the loop."""
    turns: ast.For | None = None
    before: list[ast.stmt] = []
    contexts: list[ast.withitem] = []
    while True:
        index, holder = next((i, s) for i, s in enumerate(body) if converts([s], made))
        inner = next((part for part in inner_bodies(holder) if converts(part, made)), None)
        if inner is None or not (isinstance(holder, (ast.For, ast.While)) or _loops(inner, made)):
            return before, body, contexts, turns
        if isinstance(holder, ast.With):
            contexts += [item for item in holder.items if "autocast" in ast.unparse(item)]
        turns = holder if isinstance(holder, ast.For) else turns
        before += body[:index]
        body = inner


def _from_before(
    turns: ast.For | None, before: Sequence[ast.stmt], needed: set[str], reading: re.Pattern[str]
) -> ast.Assign | None:
    """Return what gives the LR tensor its name, where a loop goes over tensors that were made before it."""
    if turns is None:
        return None
    makers = {
        name
        for statement in before
        if any(
            isinstance(node, ast.Call) and reading.fullmatch(ast.unparse(node.func).split(".")[-1])
            for node in ast.walk(statement)
        )
        for name in names_bound([statement]) | names_read(statement)
    }
    targets = [node.id for node in ast.walk(turns.target) if isinstance(node, ast.Name) and node.id in needed]
    if len(targets) != 1 or not names_read(turns.iter) & makers:
        return None
    return ast.Assign([ast.Name(targets[0], ast.Store())], ast.Name(LR, ast.Load()))


def _unasked(function: ast.FunctionDef, tree: ast.Module) -> dict[str, ast.expr]:
    """Return the parameters of a function that no call in the file gives, with their defaults."""
    own = function.args
    names = [part.arg for part in (*own.posonlyargs, *own.args)]
    found = dict(zip(names[len(names) - len(own.defaults) :], own.defaults, strict=True))
    found |= {part.arg: value for part, value in zip(own.kwonlyargs, own.kw_defaults, strict=True) if value}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == function.name:
            if any(isinstance(part, ast.Starred) for part in node.args):
                return {}
            for given in (*names[: len(node.args)], *(part.arg for part in node.keywords)):
                if given is None:  # **options
                    return {}
                found.pop(given, None)
    return found


def _loops(body: Sequence[ast.stmt], made: set[str] | None) -> bool:
    """Return whether an image is made in a loop somewhere inside."""
    return any(
        converts([part], made)
        and (
            isinstance(part, (ast.For, ast.While)) or any(_loops(inner, made) for inner in inner_bodies(part))
        )
        for part in body
    )


def _parameters(function: ast.FunctionDef) -> list[str]:
    arguments = function.args
    return [part.arg for part in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)]


def _code(setup: list[ast.stmt], step: list[ast.stmt], roles: list[str]) -> ast.Module:
    """Return def MAKE(roles): setup; def step(LR): ...; return step."""
    module = ast.parse(f"def {MAKE}({', '.join(roles)}):\n    def step({LR}):\n        pass\n    return step")
    make = module.body[0]
    inner = make.body[0]  # type: ignore[attr-defined]
    # A name that the step binds is its own; what it held before comes in as a default, fresh for every call.
    before = set(roles) | names_bound(setup)
    for name in sorted(names_bound(step) & before):
        inner.args.args.append(ast.arg(name))
        inner.args.defaults.append(ast.Name(name, ast.Load()))
    inner.body = step
    make.body[:0] = setup  # type: ignore[attr-defined]
    return ast.fix_missing_locations(module)
