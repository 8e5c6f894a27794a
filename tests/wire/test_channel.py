"""Messages between parent and worker, and everything that is not one."""

from __future__ import annotations

import json
import os
import struct
import threading
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ntire_bench.wire import channel

HEADER = struct.Struct("<4sIQ")


@pytest.fixture
def pipe():
    read, write = os.pipe()
    ends = {"read": read, "write": write}
    yield ends
    for fd in ends.values():
        os.close(fd)


def close(pipe: dict[str, int], end: str) -> None:
    os.close(pipe.pop(end))


def raw(body: bytes, *, magic: bytes = b"NTB1", length: int | None = None, number: int = 1) -> bytes:
    return HEADER.pack(magic, len(body) if length is None else length, number) + body


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=60, deadline=None)
@given(number=st.integers(0, 2**64 - 1), body=st.dictionaries(st.text(max_size=8), json_values, max_size=5))
def test_what_is_sent_is_received(number, body):
    read, write = os.pipe()
    try:
        channel.send(write, number, body)
        assert channel.receive(read, 1.0) == (number, body)
    finally:
        os.close(read)
        os.close(write)


def test_messages_do_not_run_into_each_other(pipe):
    for number in range(3):
        channel.send(pipe["write"], number, {"n": number})
    assert [channel.receive(pipe["read"], 1.0) for _ in range(3)] == [(n, {"n": n}) for n in range(3)]


def test_a_message_larger_than_a_pipe_holds_arrives(pipe):
    body = {"text": "x" * 1_000_000}
    sender = threading.Thread(target=channel.send, args=(pipe["write"], 7, body))
    sender.start()
    assert channel.receive(pipe["read"], 10.0) == (7, body)
    sender.join()


def test_half_a_surrogate_pair_of_a_strangers_message_becomes_a_question_mark(pipe):
    channel.send(pipe["write"], 1, {"what": "a \ud800 b"})
    assert channel.receive(pipe["read"], 1.0)[1] == {"what": "a ? b"}


def test_a_message_over_the_limit_is_not_sent(pipe):
    with pytest.raises(ValueError, match="over the limit"):
        channel.send(pipe["write"], 1, {"text": "x" * channel.MAX_BODY_BYTES})


def test_a_message_over_the_limit_is_refused_by_its_header_alone(pipe):
    os.write(pipe["write"], raw(b"", length=channel.MAX_BODY_BYTES + 1))
    with pytest.raises(channel.ProtocolViolation, match="no message"):
        channel.receive(pipe["read"], 1.0)


@pytest.mark.parametrize(
    "data",
    [
        b"Hello, world! This is no message at all.",
        raw(b"{}", magic=b"NTB0"),
        raw(b"not JSON"),
        raw(b""),
        raw(b"[1, 2]"),
        raw(b'"text"'),
        raw(b"\xff\xfe{}"),
        raw(b'{"a": NaN}'),
        raw(b'{"a": Infinity}'),
        raw(b'{"a": 1e999}'),
        raw(b'{"a": "\\ud800"}'),
        raw(b'{"a":' + b"[" * 60_000),
    ],
    ids=lambda data: repr(data[16:40]),
)
def test_what_is_no_message_is_refused(pipe, data):
    os.write(pipe["write"], data[:65_000])
    close(pipe, "write")
    with pytest.raises((channel.ProtocolViolation, channel.ChannelClosed)) as refused:
        channel.receive(pipe["read"], 1.0)
    if len(data) <= 65_000:
        assert refused.type is channel.ProtocolViolation


def test_the_other_sides_end_is_noticed(pipe):
    close(pipe, "write")
    with pytest.raises(channel.ChannelClosed):
        channel.receive(pipe["read"], 1.0)


@pytest.mark.parametrize("kept", [1, 15, 16, 20])
def test_the_other_sides_end_in_the_middle_of_a_message_is_noticed(pipe, kept):
    os.write(pipe["write"], raw(json.dumps({"text": "x" * 50}).encode())[:kept])
    close(pipe, "write")
    with pytest.raises(channel.ChannelClosed):
        channel.receive(pipe["read"], 1.0)


def test_nobody_reading_is_noticed(pipe):
    close(pipe, "read")
    with pytest.raises(channel.ChannelClosed):
        channel.send(pipe["write"], 1, {})


@pytest.mark.parametrize("kept", [0, 3, 18])
def test_a_message_that_does_not_come_whole_in_time_is_given_up(pipe, kept):
    os.write(pipe["write"], raw(b'{"a": 1}')[:kept])
    begin = time.monotonic()
    with pytest.raises(channel.ChannelTimeout):
        channel.receive(pipe["read"], 0.1)
    assert 0.09 <= time.monotonic() - begin < 5


def test_the_time_is_for_the_whole_message_not_for_every_byte(pipe):
    stop = threading.Event()

    def drip() -> None:
        for byte in raw(b'{"a": 1}'):
            if stop.wait(0.1):
                return
            os.write(pipe["write"], bytes([byte]))

    dripping = threading.Thread(target=drip)
    dripping.start()
    with pytest.raises(channel.ChannelTimeout):
        channel.receive(pipe["read"], 0.35)
    stop.set()
    dripping.join()
