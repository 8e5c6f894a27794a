"""Messages between the parent and a worker: a fixed binary header and a size-capped JSON object.

Nothing that crosses is ever unpickled. Every request carries a fresh number that its reply must repeat, so a
stale or forged reply is noticed. Pixels do not cross here: they lie in two shared buffers of fixed size.
"""

from __future__ import annotations

import json
import os
import select
import struct
import time
from typing import Any

import msgspec

__all__ = ["MAX_BODY_BYTES", "ChannelClosed", "ChannelTimeout", "ProtocolViolation", "receive", "send"]

_HEADER = struct.Struct("<4sIQ")
_MAGIC = b"NTB1"
MAX_BODY_BYTES = 4 * 1024 * 1024


class ChannelClosed(Exception):
    """The other side is gone."""


class ChannelTimeout(Exception):
    """The other side did not answer in time."""


class ProtocolViolation(Exception):
    """The other side sent something that is not a message."""


def send(
    fd: int,
    number: int,
    body: dict[str, Any],
    timeout_s: float | None = None,
    ended: int | None = None,
) -> None:
    """Write one message.

    Args:
        fd: A pipe's write end; one that blocks waits for ever, whatever `timeout_s` is.
        number: The request's number, repeated by its reply; 0 to 2**64 - 1.
        body: The message; anything the json module writes.
        timeout_s: How long the whole message may take [s]: the other side may have filled the pipe itself.
        ended: As for `receive`.

    Raises:
        ChannelClosed: Nobody reads any more.
        ChannelTimeout: The message could not be written whole in time.
        ValueError: The body is larger than `MAX_BODY_BYTES`.
    """
    # Half a surrogate pair, which a stranger's message may hold, is not Unicode: it becomes a question mark.
    data = json.dumps(body, ensure_ascii=False).encode(errors="replace")
    if len(data) > MAX_BODY_BYTES:
        raise ValueError(f"a message of {len(data)} bytes is over the limit of {MAX_BODY_BYTES}")
    view = memoryview(_HEADER.pack(_MAGIC, len(data), number) + data)
    deadline = None if timeout_s is None else time.monotonic() + timeout_s
    try:
        while view:
            try:
                view = view[os.write(fd, view) :]
            except BlockingIOError:
                _wait(fd, select.POLLOUT, deadline, ended)
    except BrokenPipeError:
        raise ChannelClosed from None


def receive(fd: int, timeout_s: float | None = None, ended: int | None = None) -> tuple[int, dict[str, Any]]:
    """Read one message.

    Args:
        fd: A pipe's read end.
        timeout_s: How long the whole message may take [s]; None waits for ever.
        ended: A descriptor that becomes readable when the other side has ended (see `os.pidfd_open`); the end
            of the pipe does not show that where a child of the other side holds it open.

    Returns:
        The message's number and body.

    Raises:
        ChannelClosed: The other side closed the pipe, or died.
        ChannelTimeout: The message did not arrive whole in time.
        ProtocolViolation: What arrived is no message, or too large a one.
    """
    deadline = None if timeout_s is None else time.monotonic() + timeout_s
    magic, length, number = _HEADER.unpack(_read_exactly(fd, _HEADER.size, deadline, ended))
    if magic != _MAGIC or length > MAX_BODY_BYTES:
        raise ProtocolViolation(f"a header of {magic!r} and {length} bytes is no message")
    try:
        # Unlike the json module, msgspec takes no NaN, no infinite number and no half of a surrogate pair.
        body = msgspec.json.decode(_read_exactly(fd, length, deadline, ended))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ProtocolViolation(f"the body is not JSON ({error})") from None
    if not isinstance(body, dict):
        raise ProtocolViolation(f"the body is a {type(body).__name__}, not an object")
    return number, body


def _wait(fd: int, event: int, deadline: float | None, ended: int | None) -> None:
    poll = select.poll()
    poll.register(fd, event)
    if ended is not None:
        poll.register(ended, select.POLLIN)
    wait_ms = None if deadline is None else max(0, int((deadline - time.monotonic()) * 1000))
    ready = [watched for watched, _ in poll.poll(wait_ms)]
    if not ready:
        raise ChannelTimeout
    if fd not in ready:
        raise ChannelClosed


def _read_exactly(fd: int, size: int, deadline: float | None, ended: int | None) -> bytes:
    parts: list[bytes] = []
    while size:
        _wait(fd, select.POLLIN, deadline, ended)
        part = os.read(fd, min(size, 1 << 20))
        if not part:
            raise ChannelClosed
        parts.append(part)
        size -= len(part)
    return b"".join(parts)
