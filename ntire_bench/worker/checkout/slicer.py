"""Cuts out of a loop's body what leads from the LR tensor to the tensor that becomes the SR image.

It goes backwards, from the image that is made of a tensor: a statement is kept if one that is kept already
depends on it. The call that makes the LR tensor from a file is replaced by a name, and the call that makes
the image of a tensor by a return.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterable, Sequence, Set

from ntire_bench.source.syntax import (
    called_name,
    inner_bodies,
    names_bound,
    names_changed,
    names_read,
    root_of,
)
from ntire_bench.worker.checkout.conversions import Start, converted, crop_index, put_lr

__all__ = ["USUAL", "Slicer"]

USUAL = {"model": "model", "net": "model", "model_name": "name", "name": "name", "data_range": "data_range"}
USUAL |= {"tile": "tile", "args": "args", "device": "device"}
"""What names stand for in most loops, where they cannot be followed from the call of select_model."""

# Methods that leave a network as a worker has it: in eval mode, on its device, without gradients.
_HARMLESS = frozenset(
    "eval train to cuda cpu requires_grad_ zero_grad forward parameters named_parameters state_dict".split()
)


class Slicer:
    """Keeps, going backwards, the statements that what comes after them depends on.

    Args:
        start: The calls that make the LR tensor.
        roles: Names that come from outside, and what they stand for.
        select: Name of select_model, whose call gives some of them.
        modules: Names that imports bind. A call of a module's function changes nothing that counts here.
        made: Names of what the network makes (see `conversions.made_from`); None where they are not known.

    Attributes:
        starts: Whether a call that makes the LR tensor has been found.
        dropped: What the loop does to the SR image after its conversion and cannot be done to the tensor:
            the condition under which it does it, and the statement, both as text.
    """

    def __init__(
        self,
        start: Start,
        roles: dict[str, str],
        select: str,
        modules: Set[str],
        made: Set[str] | None,
    ) -> None:
        self.start = start
        self.roles = roles
        self.select = select
        self.modules = modules
        self.made = made
        self.starts = False
        self.dropped: list[tuple[str, str]] = []

    def cut(self, body: Sequence[ast.stmt], needed: set[str]) -> tuple[list[ast.stmt], set[str]]:
        """Return what of a body is kept.

        Args:
            body: Statements.
            needed: Names that what comes after them reads.

        Returns:
            The statements that are kept, and the names that must be there before them.
        """
        kept: list[ast.stmt] = []
        for place in reversed(range(len(body))):
            own, needed = self._one(body[place], needed, body[place + 1 :])
            kept[:0] = own
            if own and isinstance(own[-1], ast.Return):
                kept = own  # what comes after it is not reached
        return kept, needed

    def _one(
        self, statement: ast.stmt, needed: set[str], after: Sequence[ast.stmt]
    ) -> tuple[list[ast.stmt], set[str]]:
        output = converted(statement, self.made)
        if output is not None:
            output = self._cropped(statement, copy.deepcopy(output), after)
            end = ast.copy_location(ast.Return(self._with_lr(output)), statement)
            return [end], names_read(end)
        if isinstance(statement, (ast.If, ast.With, ast.Try)):
            return self._compound(statement, needed)
        if isinstance(statement, ast.Expr):
            if not self._changed([statement]) & needed:
                return [], needed
            return [statement], needed | names_read(statement)
        if isinstance(statement, (ast.For, ast.While)):
            return self._repeated(statement, needed) if self._changed([statement]) & needed else ([], needed)
        bound = names_bound([statement])
        if not bound & needed or self._comes_from_outside(statement, bound):
            return [], needed
        new = copy.deepcopy(statement)
        if isinstance(new, (ast.Assign, ast.AnnAssign)) and new.value is not None:
            new.value = self._with_lr(new.value)
        if isinstance(statement, ast.Assign) and all(map(_is_names, statement.targets)):
            needed = needed - names_bound(statement.targets)
        return [new], needed | names_read(new)

    def _with_lr(self, expression: ast.expr) -> ast.expr:
        result, found = put_lr(expression, self.start)
        self.starts = self.starts or found
        return result

    def _cropped(self, end: ast.stmt, output: ast.expr, after: Sequence[ast.stmt]) -> ast.expr:
        """Return the output, cropped as its image is; note what else is done to the image."""
        if not (isinstance(end, ast.Assign) and isinstance(end.targets[0], ast.Name)):
            return output
        image = end.targets[0].id
        self.dropped.clear()
        for statement in after:
            if image not in names_bound([statement]):
                continue
            only = statement.body if isinstance(statement, ast.If) and not statement.orelse else [statement]
            index = crop_index(only[0], image) if len(only) == 1 else None
            if index is not None:
                cropped: ast.expr = ast.Subscript(output, index, ast.Load())
                if isinstance(statement, ast.If):
                    cropped = ast.IfExp(statement.test, cropped, output)
                output = ast.copy_location(cropped, end)
            elif image in names_read(statement):
                condition = ast.unparse(statement.test) if isinstance(statement, ast.If) else "True"
                self.dropped.append((condition, ast.unparse(statement)))
        return output

    def _repeated(self, statement: ast.For | ast.While, needed: set[str]) -> tuple[list[ast.stmt], set[str]]:
        """Return what is kept of a loop inside the loop: one turn of it, where all turns do the same.

        They do where a turn reads nothing that turns change, as in a loop that repeats a call to time it.
        """
        head = statement.iter if isinstance(statement, ast.For) else statement.test
        if any(isinstance(part, (ast.Break, ast.Continue, ast.Return)) for part in ast.walk(statement)):
            return [statement], needed | names_read(statement)
        turn, before = self.cut(statement.body, needed)
        counter = names_bound([statement.target]) if isinstance(statement, ast.For) else set()
        if not before & (counter | self._changed(turn)) and not statement.orelse:
            return turn, before
        inside = needed
        while not before <= inside:  # what a turn needs, the turn before it may have made
            inside = inside | before
            turn, before = self.cut(statement.body, inside)
        new = copy.deepcopy(statement)
        new.body = turn
        return [new], (inside - counter) | names_read([head, *new.orelse])

    def _changed(self, statements: Iterable[ast.stmt]) -> set[str]:
        """Return the names that are bound or changed; calls that change nothing that counts are left out."""
        calls = [
            part
            for top in statements
            for part in ast.walk(top)
            if isinstance(part, ast.Expr) and not self._changes_nothing(part)
        ]
        return names_bound(statements) | names_changed(calls)

    def _changes_nothing(self, statement: ast.Expr) -> bool:
        """Return whether a call is one of a module, as torch.cuda.synchronize(), or like model.eval()."""
        root = root_of(statement.value)
        if not (isinstance(root, ast.Name) and isinstance(statement.value, ast.Call)):
            return True
        role = self.roles.get(root.id, USUAL.get(root.id))
        network = role == "model" and ast.unparse(statement.value.func) != root.id
        return (
            root.id in self.modules
            or (role is not None and not network)
            or (network and called_name(statement.value) in _HARMLESS)
        )

    def _comes_from_outside(self, statement: ast.stmt, bound: set[str]) -> bool:
        """Return whether all that a statement makes is handed in: the network, arguments, the device."""
        if isinstance(statement, ast.Assign) and isinstance(statement.value, ast.Call):
            if ast.unparse(statement.value.func) == self.select:
                return True
        return all(self.roles.get(name) in ("args", "device") for name in bound)

    def _compound(
        self, statement: ast.If | ast.With | ast.Try, needed: set[str]
    ) -> tuple[list[ast.stmt], set[str]]:
        new = copy.deepcopy(statement)
        before: set[str] = set()
        something = False
        after = needed
        for part in self._last_first(new):
            kept, needs = self.cut(part, after)
            something = something or bool(kept)
            part[:] = kept
            before |= needs
            if isinstance(new, ast.Try) and (part is new.finalbody or part is new.orelse):
                after = after | needs  # the parts before them must make what they need
        if not something:
            return [], needed
        if isinstance(new, ast.If):
            before |= names_read(new.test)
        elif isinstance(new, ast.With):
            before |= {name for item in new.items for name in names_read(item)}
        if not new.body:
            new.body = [ast.copy_location(ast.Pass(), statement)]
        for handler in getattr(new, "handlers", []):
            handler.body = handler.body or [ast.copy_location(ast.Pass(), handler)]
        return [new], before

    def _last_first(self, statement: ast.stmt) -> list[list[ast.stmt]]:
        """Return the bodies of a statement; where one runs after another, the later one comes first."""
        parts = [*inner_bodies(statement)]
        if isinstance(statement, ast.Try):
            order = (statement.finalbody, *(one.body for one in statement.handlers), statement.orelse)
            parts = [*(part for part in order if part), statement.body]
        return parts


def _is_names(target: ast.expr) -> bool:
    """Return whether a target is a name, or a tuple or list of names."""
    if isinstance(target, (ast.Tuple, ast.List)):
        return all(_is_names(part) for part in target.elts)
    return isinstance(target, ast.Name)
