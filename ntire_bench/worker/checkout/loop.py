"""How a checkout's own loop runs a network on an image, cut out of its syntax tree.

Of the loop over the images of a test_demo.py, what leads from the LR tensor to the tensor that becomes the SR
image is kept: which forward function is called for which branch, padding, tiles. Reading files, clocks, logs
and metrics are left out. Nothing is run here.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass, field

from ntire_bench.source.syntax import (
    inner_bodies,
    names_bound,
    names_read,
    parameters,
    positional_parameters,
    reachable,
)
from ntire_bench.worker.checkout.conversions import LR, WHITE, Start, converts
from ntire_bench.worker.checkout.roles import ROLES, File, autocasts
from ntire_bench.worker.checkout.slicer import USUAL

__all__ = ["MAKE", "Loop", "find_loop"]

MAKE = "__make_step__"
"""The name of the function that the code of a `Loop` defines."""


@dataclass
class Loop:
    """What is kept of a loop.

    Attributes:
        function: The function that it was in; "" for the top level.
        code: A module that defines `MAKE`. Called with the roles, `MAKE` returns the function from LR tensor
            to output tensor.
        roles: The parameters of `MAKE`, and what each stands for: one of ROLES or MORE, or "" for what only
            the loop knows.
        calls: The calls that run the network, as text, each with its first and last line in the file.
        reads: Names of the file's top level that it needs.
        dropped: What the loop does to the SR image after its conversion and is not done here: the condition
            under which it does it, and the statement, both as text.
        whole: The same loop from where the LR image is read, if something may be done to the image before it
            becomes a tensor; else None.
        surmised: Whether the LR tensor is made by a call that may do something else, as no better one is
            there.
    """

    function: str
    code: ast.Module
    roles: dict[str, str]
    calls: dict[str, tuple[int, int]]
    reads: set[str]
    dropped: list[tuple[str, str]] = field(default_factory=list)
    whole: Loop | None = None
    surmised: bool = False

    def place(self, script: str) -> str:
        """Return where it is, for messages: the function, if it is in one, and the file."""
        return f"{self.function}() of {script}" if self.function else script


def find_loop(tree: ast.Module, select: ast.FunctionDef, parameter: str) -> Loop | None:
    """Return how a file runs the network that its select_model gives, or None if it has no such loop.

    Args:
        tree: The file.
        select: Its select_model.
        parameter: The parameter of select_model that tells it the number.
    """
    file = File(tree, select, parameter)
    # Functions that get the network from select_model are more likely than others.
    for name in sorted(file.bodies, key=lambda name: "model" not in file.roles[name].values()):
        if name == select.name:
            continue
        found = _cut(file, name, Start.TO_TENSOR)
        whole = _cut(file, name, Start.IMAGE)
        if found is not None and whole is not None and _touched(found, whole):
            found.whole = whole
        found = found or whole or _cut(file, name, Start.ANY_READING)
        if found is not None:
            return found
    return None


def _touched(loop: Loop, whole: Loop) -> bool:
    """Return whether something is done to an LR image before it becomes a tensor.

    Args:
        loop: Cut where the image becomes a tensor.
        whole: Cut where the image is read. It has one statement more, or several if something is done.
    """

    def statements(one: Loop) -> int:
        return sum(isinstance(node, ast.stmt) for node in ast.walk(one.code))

    return statements(whole) > statements(loop) + 1


def _cut(file: File, name: str, start: Start) -> Loop | None:
    """Return what is kept of a function's loop, from certain calls on; None if it has no such loop."""
    body, function, made = file.bodies[name], file.functions.get(name), file.made(name)
    if not converts(body, made):
        return None
    inner = _innermost(body, made)
    slicer = file.slicer(name, start, made)
    step, needed = slicer.cut(inner.body, set())
    if not slicer.starts:  # the tensors may have been made before the loop
        own_turn = None if start is Start.IMAGE else _from_before(inner, needed, start)
        if own_turn is None:
            return None
        step, needed = [own_turn, *step], needed - names_bound([own_turn]) | names_read(own_turn)
    prepared, around = file.prepared(name)
    contexts = [*around, *([] if function is None else autocasts(function)), *inner.contexts]
    if contexts:
        step = [ast.With(contexts, step)]
        needed |= names_read(contexts)
    setup, needed = slicer.cut(inner.before, needed - {LR})
    known = {**file.roles[name], WHITE: "data_range", **{f"__{role}__": role for role in ROLES}}
    defaults = {} if function is None else _never_given(function, file.tree)
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
    own = set() if function is None else set(parameters(function)) - defaults.keys()
    bound = names_bound(setup) | names_bound(step)
    for part in needed - known.keys() - {LR}:
        if part in own:
            known[part] = USUAL.get(part, "")
        elif not {part, "*"} & file.top:
            known[part] = "" if part in bound else USUAL.get(part, "")
    taken = {part: known[part] for part in sorted(needed & known.keys())}
    networks = _networks([*setup, *step], {part for part, role in known.items() if role == "model"})
    calls = _network_calls(step, networks)
    if not calls:
        return None
    return Loop(
        function=name,
        code=_code(setup, step, list(taken)),
        roles=taken,
        calls=calls,
        reads=needed - set(taken) - {LR},
        dropped=list(slicer.dropped),
        surmised=start is Start.ANY_READING,
    )


@dataclass
class _Innermost:
    """The innermost loop in which a function makes its images.

    Attributes:
        before: What is done once before it.
        body: What is done for each image.
        contexts: The autocasts around it.
        turns: The innermost `for` there is; None if there is none.
    """

    before: list[ast.stmt]
    body: Sequence[ast.stmt]
    contexts: list[ast.withitem]
    turns: ast.For | None


def _innermost(body: Sequence[ast.stmt], made: set[str] | None) -> _Innermost:
    found = _Innermost([], body, [], None)
    while True:
        index, holder = next((i, s) for i, s in enumerate(found.body) if converts([s], made))
        inner = next((part for part in inner_bodies(holder) if converts(part, made)), None)
        if inner is None or not (isinstance(holder, (ast.For, ast.While)) or _has_loop(inner, made)):
            return found
        found.contexts += autocasts(holder)
        found.turns = holder if isinstance(holder, ast.For) else found.turns
        found.before += found.body[:index]
        found.body = inner


def _has_loop(body: Sequence[ast.stmt], made: set[str] | None) -> bool:
    """Return whether an image is made in a loop somewhere inside."""
    return any(
        converts([part], made)
        and (
            isinstance(part, (ast.For, ast.While))
            or any(_has_loop(inner, made) for inner in inner_bodies(part))
        )
        for part in body
    )


def _from_before(inner: _Innermost, needed: set[str], start: Start) -> ast.Assign | None:
    """Return what gives the LR tensor its name, where a loop goes over tensors that were made before it."""
    if inner.turns is None:
        return None
    makers = {
        name
        for statement in inner.before
        if any(isinstance(node, ast.Call) and start.fits(node) for node in ast.walk(statement))
        for name in names_bound([statement]) | names_read(statement)
    }
    targets = [
        node.id for node in ast.walk(inner.turns.target) if isinstance(node, ast.Name) and node.id in needed
    ]
    if len(targets) != 1 or not names_read(inner.turns.iter) & makers:
        return None
    return ast.Assign([ast.Name(targets[0], ast.Store())], ast.Name(LR, ast.Load()))


def _never_given(function: ast.FunctionDef, tree: ast.Module) -> dict[str, ast.expr]:
    """Return the parameters of a function that no call in the file gives, with their defaults."""
    own = function.args
    names = positional_parameters(function)
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


def _networks(statements: Sequence[ast.stmt], names: set[str]) -> set[str]:
    """Return names of networks, and of functions made inside the loop's function that call them."""
    makers: list[tuple[str, ast.AST]] = []
    for node in (part for top in statements for part in ast.walk(top)):
        if isinstance(node, ast.FunctionDef):
            makers.append((node.name, node))
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            partial = isinstance(node.value, ast.Call) and "partial" in ast.unparse(node.value.func)
            if partial or isinstance(node.value, ast.Lambda):
                makers.append((node.targets[0].id, node.value))
    return reachable(names, [(names_read(node), {name}) for name, node in makers])


def _network_calls(step: Sequence[ast.stmt], networks: set[str]) -> dict[str, tuple[int, int]]:
    """Return the calls that run a network, as text, with their lines; calls inside of others are left out."""
    calls = [
        (ast.unparse(node), (node.lineno, node.end_lineno or node.lineno))
        for statement in step
        for node in ast.walk(statement)
        if isinstance(node, ast.Call) and names_read([*node.args, *node.keywords, node.func]) & networks
    ]
    found: dict[str, tuple[int, int]] = {}
    for text, lines in calls:
        if not any(text != other and text in other for other, _ in calls):
            found.setdefault(text.replace(LR, "LR"), lines)
    return found


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
