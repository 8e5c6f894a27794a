"""Text in which no character has a special meaning to Markdown or LaTeX: names may be a stranger's."""

from __future__ import annotations

import re

__all__ = ["latex", "markdown"]

_LATEX = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "·": r"$\cdot$",
    "↓": r"$\downarrow$",
    "±": r"$\pm$",
    "≈": r"$\approx$",
    "†": r"$^\dagger$",
    "–": "--",
    "→": r"$\to$",
    "[": "{[}",  # after a line break in a table LaTeX would read it as the start of an argument
    **{c: "\\" + c for c in "{}$&#%_"},
}


def markdown(text: str) -> str:
    r"""Return a text that Markdown shows as it is.

    >>> markdown("a_b|c"), markdown("&lt;b&gt;")
    ('a\\_b\\|c', '\\&lt;b\\&gt;')
    """
    return re.sub(r"([\\`*_\[\]<>|~#&])", r"\\\1", text)


def latex(text: str) -> str:
    r"""Return a text that LaTeX prints as it is; two hyphens in a row would be printed as one dash.

    >>> latex("50 % a_b")
    '50 \\% a\\_b'
    """
    return "".join(_LATEX.get(c, c) for c in re.sub("-(?=-)", "-\0", text)).replace("\0", "{}")
