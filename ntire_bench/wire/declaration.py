"""What a submission says of itself, as it crosses to a worker."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, Literal

__all__ = ["TILE_OVERLAP", "Declaration", "toml_value"]

TILE_OVERLAP = 32  # LR pixels that neighbouring tiles share, as in the challenge's own loop


@dataclass(frozen=True, kw_only=True)
class Declaration:
    """What a submission says of itself; None where it says nothing.

    Attributes:
        model: Name of the class or function in the file that builds the network.
        args: Keyword arguments for it.
        data_range: The value of white in the network's input and output: 1 or 255.
        checkpoint: File name in model_zoo/; "" for a network that has no checkpoint.
        state_key: Key of the state dict inside the checkpoint; "" where the checkpoint is the state dict.
        prefix: What the state dict's names begin with and the network's do not, such as "module.".
        strict: Whether all names in the network and in the checkpoint must match.
        tile: Side of the tiles that the image is run in [LR pixels].
        pad_to: The sides of the input are padded to a multiple of this [LR pixels].
        output: Which one of several returned things is the SR image: its place or key.
        kernel: What a kernel of its own, outside of torch's operators, computes in: "float32", or "half" for
            16 bits; None where it declares none.
        twin: Name of a method of the network or of its blocks, or of a function of the file, that computes
            the same in torch's operators: what costs are counted on.
        twin_args: Arguments that, in place of those of `args`, build the same network without its kernel.
        source: Where this was declared; "" if nothing was.
    """

    model: str | None = None
    args: dict[str, Any] = field(default_factory=dict)
    data_range: float | None = None
    checkpoint: str | None = None
    state_key: str | None = None
    prefix: str | None = None
    strict: bool = True
    tile: int | None = None
    pad_to: int | None = None
    output: int | str | None = None
    kernel: Literal["float32", "half"] | None = None
    twin: str | None = None
    twin_args: dict[str, Any] | None = None
    source: str = ""

    @property
    def has_twin(self) -> bool:
        """Whether it says how the same is computed in torch's operators."""
        return self.twin is not None or self.twin_args is not None


def toml_value(value: Any) -> str:  # noqa: ANN401 - what a TOML file can hold
    """Return a value as TOML writes it.

    Raises:
        ValueError: TOML has no such value, such as None, a set, or a key that is no string.

    >>> toml_value([True, 1.0, "a", (2, 3)])
    '[true, 1.0, "a", [2, 3]]'
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return repr(value)
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(toml_value, value))}]"
    if isinstance(value, dict) and all(isinstance(key, str) for key in value):
        return f"{{{', '.join(f'{json.dumps(k)} = {toml_value(v)}' for k, v in value.items())}}}"
    raise ValueError(f"TOML has no {type(value).__name__}")
