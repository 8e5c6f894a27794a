"""Where a loop turns an image into a tensor, and a tensor into an image; read from its syntax tree.

Loops of the challenges call functions for both by names that are always the same, such as uint2tensor4 and
tensor2uint. These names are what is looked for.
"""

from __future__ import annotations

import ast
import enum
import re
from collections.abc import Sequence, Set

from ntire_bench.source.syntax import (
    called_name,
    inner_bodies,
    names_bound,
    names_changed,
    names_read,
    reachable,
)

__all__ = ["LR", "WHITE", "Start", "converted", "converts", "crop_index", "made_from", "put_lr"]

LR = "__lr__"
"""The name of the LR tensor in the code that is kept."""

WHITE = "__white__"
"""The name of the data range in it, where a conversion of the loop has another one."""


class Start(enum.Enum):
    """The calls at which the kept part of a loop may begin; the values are patterns of names."""

    TO_TENSOR = r"uint2tensor\d*|img2tensor|image_to_tensor"
    IMAGE = r"imread\w*"
    ANY_READING = r"from_numpy|ToTensor|to_tensor|imread\w*"  # where there is none of the others

    def fits(self, call: ast.Call) -> bool:
        """Return whether a call is such a call."""
        return re.fullmatch(self.value, called_name(call)) is not None


_TO_IMAGE = re.compile(r"tensor2uint|tensor2img|tensor_to_image")
# These take the value of white as their second argument; without it, white is 1.
_OWN_RANGE = re.compile(r"tensor2uint|uint2tensor\d*")
_THREE_DIMENSIONS = re.compile(r"uint2tensor3|img2tensor")
# The image that the LR tensor was made from. 255 / white times the tensor is whole numbers, but for rounding.
_AS_IMAGE = (
    f"({LR}[0].permute(1, 2, 0).float() * (255.0 / {WHITE})).round().to('cpu').numpy().astype('uint8')"
)
# An image as a tensor, in the way of uint2tensor3: the image, and the value of white.
_AS_TENSOR = (
    "__import__('torch').from_numpy(__import__('numpy').ascontiguousarray({}))"
    ".permute(2, 0, 1).float().div(255.0 / {})"
)


def converted(statement: ast.stmt, made: Set[str] | None) -> ast.expr | None:
    """Return the tensor that a statement turns into an image, or None; statements inside it do not count.

    Args:
        statement: Of a loop.
        made: Names that hold a network, or what it made; None where they are not known. A tensor that is
            made of none of them, such as the LR tensor, does not count: it may be saved to be looked at.
    """
    if any(True for _ in inner_bodies(statement)):
        return None
    for node in ast.walk(statement):
        if isinstance(node, ast.Call) and node.args and _TO_IMAGE.fullmatch(called_name(node)):
            output = node.args[0]
            if made is not None and not names_read(output) & made:
                continue
            if isinstance(output, (ast.List, ast.Tuple)) and len(output.elts) == 1:
                output = output.elts[0]
            white = _white(node)
            return output if white is None else _scaled(output, f"{WHITE} / {white}", white)
    return None


def converts(body: Sequence[ast.stmt], made: Set[str] | None = None) -> bool:
    """Return whether these statements turn a tensor into an image; `made` as in `converted`."""
    return any(
        converted(statement, made) is not None
        or any(converts(inner, made) for inner in inner_bodies(statement))
        for statement in body
        if not isinstance(statement, (ast.FunctionDef, ast.ClassDef))
    )


def made_from(body: Sequence[ast.stmt], names: Set[str], modules: Set[str]) -> set[str]:
    """Return these names, and those of all that is made from what they hold, directly or not.

    Args:
        body: The statements that make it.
        names: The names to begin with.
        modules: Names that imports bind; they never hold what a statement makes.
    """
    steps: list[tuple[set[str], set[str]]] = []
    for node in (part for top in body for part in ast.walk(top)):
        if isinstance(node, ast.For):
            steps.append((names_read(node.iter), names_bound([node.target])))
        elif isinstance(node, (ast.Assign, ast.AnnAssign, ast.AugAssign, ast.Expr, ast.withitem)):
            steps.append((names_read(node), names_changed([node]) - modules))
    return reachable(names, steps)


def put_lr(expression: ast.expr, start: Start) -> tuple[ast.expr, bool]:
    """Put the LR tensor in place of the call that makes it, or that reads its image, from a file.

    Args:
        expression: Is changed.
        start: Which calls are replaced.

    Returns:
        The expression, and whether there was such a call.
    """
    change = _PutImage() if start is Start.IMAGE else _PutTensor(start)
    result: ast.expr = change.visit(expression)
    if start is Start.ANY_READING and LR in names_read(result):
        result = ast.copy_location(ast.Name(LR, ast.Load()), expression)
    return result, change.found


class _PutTensor(ast.NodeTransformer):
    def __init__(self, start: Start) -> None:
        self.start = start
        self.found = False

    def visit_Call(self, node: ast.Call) -> ast.expr:  # noqa: N802 - ast's name
        if self.start is Start.TO_TENSOR and Start.IMAGE.fits(node):
            # One branch of a loop may make its tensor in another way: from the image, which it reads itself.
            return ast.copy_location(_lr_image(node), node)
        if not self.start.fits(node):
            self.generic_visit(node)
            return node
        self.found = True
        three = _THREE_DIMENSIONS.fullmatch(called_name(node))
        lr = ast.parse(f"{LR}[0]" if three else LR, mode="eval").body
        white = _white(node)
        if white is not None:
            lr = _scaled(lr, f"{white} / {WHITE}", white)
        return ast.copy_location(lr, node)


class _PutImage(ast.NodeTransformer):
    def __init__(self) -> None:
        self.found = False

    def visit_Call(self, node: ast.Call) -> ast.expr:  # noqa: N802 - ast's name
        if Start.IMAGE.fits(node):
            self.found = True
            return ast.copy_location(_lr_image(node), node)
        self.generic_visit(node)
        name = called_name(node)
        if not (_OWN_RANGE.fullmatch(name) and Start.TO_TENSOR.fits(node) and node.args):
            return node
        # Written out, as the checkout's own function may lie in a file that imports what is not installed.
        text = _AS_TENSOR.format(ast.unparse(node.args[0]), _white(node) or WHITE)
        text += "" if _THREE_DIMENSIONS.fullmatch(name) else ".unsqueeze(0)"
        return ast.copy_location(ast.parse(text, mode="eval").body, node)


def _lr_image(reading: ast.Call) -> ast.expr:
    """Return the LR image as a call that reads a file gives it: uint8 HWC, RGB or OpenCV's BGR."""
    order = "[..., ::-1]" if ast.unparse(reading.func).split(".")[0] == "cv2" else ""
    return ast.parse(f"{_AS_IMAGE}{order}", mode="eval").body


def crop_index(statement: ast.stmt, image: str) -> ast.expr | None:
    """Return the index that crops a tensor as `image = image[:h, :w, :]` crops an image, or None."""
    value = statement.value if isinstance(statement, ast.Assign) else None
    if not (isinstance(value, ast.Subscript) and ast.unparse(value.value) == image):
        return None
    parts = value.slice.elts if isinstance(value.slice, ast.Tuple) else [value.slice]
    colours = ast.unparse(parts[2]) if len(parts) > 2 else ":"
    if len(parts) > 3 or colours not in (":", "...") or not all(isinstance(p, ast.Slice) for p in parts[:2]):
        return None
    sides = [*parts[:2], *([ast.Slice()] if len(parts) < 2 else [])]
    return ast.Tuple([ast.Constant(...), *sides], ast.Load())


def _white(call: ast.Call) -> str | None:
    """Return the number that a conversion takes for white; None where its argument is no plain number."""
    if not _OWN_RANGE.fullmatch(called_name(call)):
        return None
    given = call.args[1] if len(call.args) > 1 else next((part.value for part in call.keywords), None)
    if given is None:
        return "1"
    number = isinstance(given, ast.Constant) and isinstance(given.value, (int, float)) and given.value > 0
    return ast.unparse(given) if number else None


def _scaled(tensor: ast.expr, factor: str, white: str) -> ast.expr:
    """Return a tensor times a factor, unless the data range is what the conversion takes for white."""
    text = ast.unparse(tensor)
    scaled = ast.parse(f"({text}) if {WHITE} == {white} else ({text}) * ({factor})", mode="eval").body
    return ast.copy_location(scaled, tensor)
