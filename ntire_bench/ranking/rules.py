"""The rules that a record was made under, and whether it may be ranked by others."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from ntire_bench.errors import UsageError
from ntire_bench.protocols import protocol as protocols
from ntire_bench.protocols.protocol import Protocol
from ntire_bench.records.record import ProtocolInfo, Record
from ntire_bench.records.store import Stored

__all__ = ["differences", "info_of", "kept_rules", "not_by", "require_alike", "rules_for", "rules_of"]


def info_of(protocol: Protocol) -> ProtocolInfo:
    """Return what a record keeps of the rules it is made under, its own copy where they are a user's file."""
    return ProtocolInfo(
        name=protocol.name,
        sha256=protocol.sha256,
        scale=protocol.scale,
        border=protocol.border,
        noise=protocol.noise,
        rules=protocol.text or None,
    )


def rules_of(record: Record, where: Path) -> Protocol | None:
    """Return the rules that a record was made under; None where they are of another version of this program.

    Args:
        record: Any.
        where: Its file, for messages.

    Raises:
        UsageError: The copy of the rules that it keeps holds mistakes.
    """
    if record.protocol.rules is not None:
        return protocols.from_text(record.protocol.rules, where)
    return protocols.shipped_with(record.protocol.sha256)


def rules_for(record: Record, where: Path, named: str | None) -> Protocol:
    """Return the rules that a user names, by name or file, else those that a record was made under.

    Raises:
        UsageError: There is no such protocol, or the file holds mistakes.
    """
    own = rules_of(record, where) if named is None else None
    return own or protocols.load(named or record.protocol.name)


def kept_rules(stored: Iterable[Stored]) -> Protocol | None:
    """Return the rules of the newest record whose rules are known; None where no record's are.

    Raises:
        UsageError: The copy of the rules that it keeps holds mistakes.
    """
    for item in sorted(stored, key=lambda item: item.order, reverse=True):
        if (found := rules_of(item.record, item.path)) is not None:
            return found
    return None


def differences(made_by: Protocol, ranked_by: Protocol) -> list[str]:
    """Return in words what differs between rules such that no record of the ones can be ranked by the others.

    >>> import dataclasses
    >>> rules = protocols.load("ntire2024")
    >>> differences(rules, dataclasses.replace(rules, border=0))
    ['border 4, not 0']
    """
    pairs = (
        ("scale", made_by.scale, ranked_by.scale),
        ("noise", _levels(made_by.noise), _levels(ranked_by.noise)),
        ("border", made_by.border, ranked_by.border),
        ("cost input", _size(made_by.cost_input), _size(ranked_by.cost_input)),
    )
    return [f"{what} {own}, not {other}" for what, own, other in pairs if own != other]


def not_by(record: Record, protocol: Protocol) -> str:
    """Return why a record cannot be ranked by some rules; empty where it can.

    It can by those it was made under, and by others of the same scale, noise, border and cost input.

    Args:
        record: A successful evaluation.
        protocol: The rules.
    """
    own = record.protocol
    if (own.name, own.sha256) == (protocol.name, protocol.sha256):
        return ""
    shipped = protocols.shipped_with(own.sha256)
    scale = own.scale if shipped is None else shipped.scale
    border = own.border if shipped is None else shipped.border
    if scale is None or border is None:
        return f"under another version of the rules of {own.name}"
    noise = own.noise if shipped is None else shipped.noise
    if told := ", ".join(_differences(record, scale, noise, border, protocol)):
        return f"under the rules of {own.name}: {told} as in those of {protocol.name}"
    if record.sample and not protocol.fits_any_images:
        return f"on the sample set, for which the thresholds of {protocol.name} are not meant"
    return ""


def _differences(
    record: Record, scale: int, noise: float | None, border: int, protocol: Protocol
) -> Iterator[str]:
    if scale != protocol.scale:
        yield f"scale {scale}, not {protocol.scale}"
    elif noise != protocol.noise:
        yield f"noise {_levels(noise)}, not {_levels(protocol.noise)}"
    if border != protocol.border:
        yield f"border {border}, not {protocol.border}"
    if record.complexity is not None and record.complexity.input_shape != protocol.cost_input:
        yield f"cost input {_size(record.complexity.input_shape)}, not {_size(protocol.cost_input)}"


def _levels(noise: float | None) -> str:
    return "none" if noise is None else f"{noise:g}"


def _size(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape))


def require_alike(made_by: Protocol, ranked_by: Protocol) -> None:
    """Refuse to rank the records of some rules by others that measure otherwise.

    Raises:
        UsageError: Scale, noise, border or cost input differ.
    """
    if told := differences(made_by, ranked_by):
        raise UsageError(
            f"the records of {made_by.name} cannot be ranked by {ranked_by.name}",
            expected="the same scale, noise, border and cost input",
            found=f"{', '.join(told)}",
            remedy=f"evaluate anew with --protocol, or change these keys of {ranked_by.name}",
        )
