"""Cuts out of a loop's body what leads from the LR tensor to the tensor that becomes the SR image.

Going backwards, a statement is kept if what comes after it depends on it. The call that makes the LR tensor
from a file gives way to a name, and the call that makes the image from a tensor to a return.
"""

from __future__ import annotations

import ast
import copy
import re
from collections.abc import Iterable, Sequence, Set

from ntire_bench.source.syntax import (
    called_name,
    inner_bodies,
    names_bound,
    names_changed,
    names_read,
    root_of,
)
from ntire_bench.worker.checkout import conversions
from ntire_bench.worker.checkout.conversions import IMAGE, LR, READING, TO_TENSOR, WHITE

__all__ = ["USUAL", "Slicer"]

# Methods of a network that leave it as a worker has it: in eval mode, on its device, without gradients.
_HARMLESS = frozenset(
    "eval train to cuda cpu requires_grad_ zero_grad forward parameters named_parameters state_dict".split()
)
# What loops call these where they do not get them from select_model by name.
USUAL = {"model": "model", "net": "model", "model_name": "name", "name": "name", "data_range": "data_range"}
USUAL |= {"tile": "tile", "args": "args", "device": "device"}


class Slicer:
    """Keeps, going backwards, the statements that what comes after them depends on.

    Args:
        reading: Names of the functions that make the LR tensor.
        roles: Names that come from outside, and what they stand for.
        select: Name of select_model, whose call gives some of them.
        modules: Names that imports bind: what is called there changes nothing here.
        made: Names of what the network makes (see `made_from`); None where they are not known.

    Attributes:
        starts: Whether the LR tensor has come up.
        dropped: What is done to the SR image after its conversion and cannot be done to the tensor: under
            which condition, and what.
    """

    def __init__(
        self,
        reading: re.Pattern[str],
        roles: dict[str, str],
        select: str,
        modules: Set[str],
        made: Set[str] | None,
    ) -> None:
        self.reading = reading
        self.roles = roles
        self.select = select
        self.modules = modules
        self.made = made
        self.starts = False
        self.dropped: list[tuple[str, str]] = []

    def cut(self, body: Sequence[ast.stmt], needed: set[str]) -> tuple[list[ast.stmt], set[str]]:
        """Return what must be kept for some names to be right after it, and the names it needs before."""
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
        output = conversions.converted(statement, self.made)
        if output is not None:
            output = self._cropped(statement, copy.deepcopy(output), after)
            end = ast.copy_location(ast.Return(self._started(output)), statement)
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
        if not bound & needed or self._is_given(statement, bound):
            return [], needed
        new = copy.deepcopy(statement)
        if isinstance(new, (ast.Assign, ast.AnnAssign)) and new.value is not None:
            new.value = self._started(new.value)
        whole = isinstance(statement, ast.Assign) and all(_plain(target) for target in statement.targets)
        return [new], (needed - bound if whole else needed) | names_read(new)

    def _cropped(self, end: ast.stmt, output: ast.expr, after: Sequence[ast.stmt]) -> ast.expr:
        """Return the output cropped as the image made of it is; note what else is done to the image."""
        if not (isinstance(end, ast.Assign) and isinstance(end.targets[0], ast.Name)):
            return output
        image = end.targets[0].id
        self.dropped.clear()
        for statement in after:
            if image not in names_bound([statement]):
                continue
            only = statement.body if isinstance(statement, ast.If) and not statement.orelse else [statement]
            index = conversions.crop_index(only[0], image) if len(only) == 1 else None
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
        """Return what is kept of a loop inside: one turn, where every turn does the same.

        That is so where a turn reads nothing that turns change, as where calls are repeated for their time.
        """
        head = statement.iter if isinstance(statement, ast.For) else statement.test
        if any(isinstance(part, (ast.Break, ast.Continue, ast.Return)) for part in ast.walk(statement)):
            return [statement], needed | names_read(statement)
        turn, before = self.cut(statement.body, needed)
        counter = names_bound([statement.target]) if isinstance(statement, ast.For) else set()
        if not before & (counter | self._changed(turn)) and not statement.orelse:
            return turn, before
        inside = needed
        while not before <= inside:  # what a turn needs, the turn before it may give
            inside = inside | before
            turn, before = self.cut(statement.body, inside)
        new = copy.deepcopy(statement)
        new.body = turn
        return [new], (inside - counter) | names_read([head, *new.orelse])

    def _changed(self, statements: Iterable[ast.stmt]) -> set[str]:
        """Return the names that are bound or changed, calls aside that change nothing that counts here."""
        kept = [
            part
            for top in statements
            for part in ast.walk(top)
            if isinstance(part, ast.Expr) and not self._changes_nothing(part)
        ]
        return names_bound(statements) | names_changed(kept)

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

    def _is_given(self, statement: ast.stmt, bound: set[str]) -> bool:
        """Return whether a statement only makes what comes from outside: the network, arguments, device."""
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
                after = after | needs  # what goes before them must give what they need
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
        """Return the bodies of a statement, of those that follow each other the later before the earlier."""
        parts = [*inner_bodies(statement)]
        if isinstance(statement, ast.Try):
            order = (statement.finalbody, *(one.body for one in statement.handlers), statement.orelse)
            parts = [*(part for part in order if part), statement.body]
        return parts

    def _started(self, expression: ast.expr) -> ast.expr:
        """Put the LR tensor in place of the call that makes it from a file."""
        slicer = self
        if self.reading is IMAGE:
            return self._started_image(expression)

        class Start(ast.NodeTransformer):
            def visit_Call(self, node: ast.Call) -> ast.expr:  # noqa: N802 - ast's name
                if slicer.reading is TO_TENSOR and IMAGE.fullmatch(called_name(node)):
                    # Other ways to a tensor than that call, if there are any, begin with the image.
                    return ast.copy_location(conversions.lr_image(node), node)
                if slicer.reading.fullmatch(called_name(node)):
                    slicer.starts = True
                    name = called_name(node)
                    lr = ast.parse(
                        f"{LR}[0]" if conversions.THREE_DIMENSIONS.fullmatch(name) else LR, mode="eval"
                    ).body
                    white = conversions.white_of(node)
                    if white is not None:
                        lr = conversions.scaled(lr, f"{white} / {WHITE}", white)
                    return ast.copy_location(lr, node)
                self.generic_visit(node)
                return node

        started: ast.expr = Start().visit(expression)
        if self.reading is READING and LR in names_read(started):
            return ast.copy_location(ast.Name(LR, ast.Load()), expression)
        return started

    def _started_image(self, expression: ast.expr) -> ast.expr:
        """Put the LR image, uint8 HWC, in place of the call that reads it from a file."""
        slicer = self

        class Start(ast.NodeTransformer):
            def visit_Call(self, node: ast.Call) -> ast.expr:  # noqa: N802 - ast's name
                name, text = called_name(node), None
                if IMAGE.fullmatch(name):
                    slicer.starts = True
                    return ast.copy_location(conversions.lr_image(node), node)
                self.generic_visit(node)
                if conversions.OWN_RANGE.fullmatch(name) and TO_TENSOR.fullmatch(name) and node.args:
                    # The checkout's own may lie beside imports of what is not installed.
                    text = conversions.AS_TENSOR.format(
                        ast.unparse(node.args[0]), conversions.white_of(node) or WHITE
                    )
                    text += "" if conversions.THREE_DIMENSIONS.fullmatch(name) else ".unsqueeze(0)"
                return node if text is None else ast.copy_location(ast.parse(text, mode="eval").body, node)

        started: ast.expr = Start().visit(expression)
        return started


def _plain(target: ast.expr) -> bool:
    if isinstance(target, (ast.Tuple, ast.List)):
        return all(_plain(part) for part in target.elts)
    return isinstance(target, ast.Name)
