"""How a loop makes a tensor of an image and an image of a tensor, as its syntax tree shows it."""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence, Set

from ntire_bench.source.syntax import called_name, inner_bodies, names_bound, names_changed, names_read

__all__ = [
    "AS_TENSOR",
    "IMAGE",
    "LR",
    "OWN_RANGE",
    "READING",
    "THREE_DIMENSIONS",
    "TO_TENSOR",
    "WHITE",
    "converted",
    "converts",
    "crop_index",
    "lr_image",
    "made_from",
    "scaled",
    "white_of",
]

LR = "__lr__"
WHITE = "__white__"  # the data range, where a conversion of the loop has another
_TO_IMAGE = re.compile(r"tensor2uint|tensor2img|tensor_to_image")
# What these take for white is their second argument, or 1.
OWN_RANGE = re.compile(r"tensor2uint|uint2tensor\d*")
THREE_DIMENSIONS = re.compile(r"uint2tensor3|img2tensor")
TO_TENSOR = re.compile(r"uint2tensor\d*|img2tensor|image_to_tensor")
IMAGE = re.compile(r"imread\w*")
READING = re.compile(r"from_numpy|ToTensor|to_tensor|imread\w*")  # where nothing of the above is found
# The LR tensor as the image it came from: 255 / white of it is whole numbers, but for rounding.
_AS_IMAGE = (
    f"({LR}[0].permute(1, 2, 0).float() * (255.0 / {WHITE})).round().to('cpu').numpy().astype('uint8')"
)
# An image as uint2tensor4 makes a tensor of it, by white.
AS_TENSOR = (
    "__import__('torch').from_numpy(__import__('numpy').ascontiguousarray({}))"
    ".permute(2, 0, 1).float().div(255.0 / {})"
)


def converted(statement: ast.stmt, made: Set[str] | None) -> ast.expr | None:
    """Return what a statement turns into an image, statements inside it aside.

    Args:
        statement: Of a loop.
        made: Names that hold what a network made, or a network; None where that is not known. What else is
            turned into an image, such as LR to be looked at, does not count.
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
            white = white_of(node)
            return output if white is None else scaled(output, f"{WHITE} / {white}", white)
    return None


def white_of(call: ast.Call) -> str | None:
    """Return what a conversion takes for white: a number; None where it is told by what may be the range."""
    if not OWN_RANGE.fullmatch(called_name(call)):
        return None
    given = call.args[1] if len(call.args) > 1 else next((part.value for part in call.keywords), None)
    if given is None:
        return "1"
    number = isinstance(given, ast.Constant) and isinstance(given.value, (int, float)) and given.value > 0
    return ast.unparse(given) if number else None


def scaled(tensor: ast.expr, factor: str, white: str) -> ast.expr:
    """Return a tensor times a factor, where the data range is not what the conversion takes for white."""
    text = ast.unparse(tensor)
    scaled = ast.parse(f"({text}) if {WHITE} == {white} else ({text}) * ({factor})", mode="eval").body
    return ast.copy_location(scaled, tensor)


def converts(body: Sequence[ast.stmt], made: Set[str] | None = None) -> bool:
    """Return whether an image is made of a tensor, of those names if they are given, in these statements."""
    return any(
        converted(statement, made) is not None
        or any(converts(inner, made) for inner in inner_bodies(statement))
        for statement in body
        if not isinstance(statement, (ast.FunctionDef, ast.ClassDef))
    )


def made_from(body: Sequence[ast.stmt], names: Set[str], modules: Set[str]) -> set[str]:
    """Return names, and those of all that is made with what they hold, over however many steps.

    Args:
        body: Statements in which that happens.
        names: To begin with.
        modules: Names that imports bind, which hold nothing of the kind.
    """
    found = set(names)
    steps: list[tuple[set[str], set[str]]] = []
    for node in (part for top in body for part in ast.walk(top)):
        if isinstance(node, ast.For):
            steps.append((names_read(node.iter), names_bound([node.target])))
        elif isinstance(node, (ast.Assign, ast.AnnAssign, ast.AugAssign, ast.Expr, ast.withitem)):
            steps.append((names_read(node), names_changed([node]) - modules))
    while more := {name for read, bound in steps if read & found for name in bound} - found:
        found |= more
    return found


def lr_image(reading: ast.Call) -> ast.expr:
    """Return the LR image as a call that reads a file gives it: uint8 HWC, RGB or as OpenCV has it."""
    order = "[..., ::-1]" if ast.unparse(reading.func).split(".")[0] == "cv2" else ""
    return ast.parse(f"{_AS_IMAGE}{order}", mode="eval").body


def crop_index(statement: ast.stmt, image: str) -> ast.expr | None:
    """Return the index of a tensor that crops it as `image = image[:h, :w, :]` crops an image."""
    value = statement.value if isinstance(statement, ast.Assign) else None
    if not (isinstance(value, ast.Subscript) and ast.unparse(value.value) == image):
        return None
    parts = value.slice.elts if isinstance(value.slice, ast.Tuple) else [value.slice]
    colours = ast.unparse(parts[2]) if len(parts) > 2 else ":"
    if len(parts) > 3 or colours not in (":", "...") or not all(isinstance(p, ast.Slice) for p in parts[:2]):
        return None
    sides = [*parts[:2], *([ast.Slice()] if len(parts) < 2 else [])]
    return ast.Tuple([ast.Constant(...), *sides], ast.Load())
