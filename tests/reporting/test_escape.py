"""Strangers' texts in Markdown and LaTeX: beside a parser of CommonMark, and what an encoding prints."""

from __future__ import annotations

import html
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from ntire_bench.reporting.escape import latex, markdown
from ntire_bench.text import one_line

PARSER = MarkdownIt("commonmark").enable(["table", "strikethrough"])
# What Markdown gives a meaning to, and what stands beside it.
SIGNS = st.text(alphabet="_b\\`*_{}[]()<>#+-=.!|~&;:/ \"'$1a\u00e9")


def shown(text: str) -> str:
    """Return what a reader sees of HTML that holds no element but those given here."""
    left = re.sub(r"</?(?:ul|li|p|strong|table|thead|tbody|tr|th|td)>", "", text)
    assert "<" not in left, text
    return html.unescape(left).strip()


@settings(max_examples=300, deadline=None)
@given(SIGNS)
def test_markdown_shows_a_text_as_it_is(text: str) -> None:
    text = one_line(text)
    escaped = markdown(text)
    assert shown(PARSER.render(f"- {escaped}\n")) == text
    assert shown(PARSER.render(f"- x {escaped}\n")) == f"x {text}".strip()
    cell = PARSER.render(f"| a |\n| --- |\n| {escaped} |\n")
    assert shown(cell).removeprefix("a").strip() == text and cell.count("<td>") == 1


@pytest.mark.parametrize("text", ["see https://a.b/c", "HTTP://a.b", "www.a.b", "$x$"])
def test_no_link_and_no_formula_is_made(text: str) -> None:
    escaped = markdown(text)
    assert not re.search(r"(?<!\\)://|www\.|(?<!\\)\$", escaped, re.IGNORECASE), escaped


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a--b---", "a-{}-b-{}-{}-"),
        ("``q''", "`{}`q'{}'"),
        ("?`!`", "?{}`!{}`"),
        (",,", ",{},"),
        ("a|b", r"a\textbar{}b"),
        ("\0x", "x"),
        (r"\input{/etc/passwd}", r"\textbackslash{}input\{/etc/passwd\}"),
    ],
)
def test_latex_prints_what_is_written(text: str, expected: str) -> None:
    assert latex(text) == expected
