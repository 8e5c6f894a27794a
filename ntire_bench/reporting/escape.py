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
    "|": r"\textbar{}",
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


# What prints something else where it stands twice, or before another character, in an encoding of LaTeX.
_LIGATURES = re.compile(r"-(?=-)|`(?=`)|'(?=')|,(?=,)|[?!](?=`)")


def markdown(text: str) -> str:
    r"""Return a text of one line that Markdown shows as it is: in a paragraph, a list or a cell of a table.

    Addresses do not become links, nor dollars formulas, where a reader's program makes such of them.

    >>> print(markdown("a_b|_c_ &lt; $x$"))
    a_b\|\_c\_ \&lt; \$x\$
    >>> print(markdown("1. www.a.b"), markdown("- http://a"))
    1\. www\.a.b \- http\://a
    """
    shown = re.sub(r"([\\`*\[\]<>|~#&$]|(?<![^\W_])_|_(?![^\W_]))", r"\\\1", text)
    shown = re.sub(r":(?=//)|(?<=\bwww)\.", lambda found: "\\" + found[0], shown, flags=re.IGNORECASE)
    # Else the begin of a list, or a rule.
    return re.sub(r"^(\d{0,9})(?:(?<=\d)[.)](?=\s|$)|(?<!\d)[-+=](?=[-=\s]|$))", _last_escaped, shown)


def _last_escaped(found: re.Match[str]) -> str:
    return f"{found[0][:-1]}\\{found[0][-1]}"


def latex(text: str) -> str:
    r"""Return a text that LaTeX prints as it is; two hyphens in a row would be printed as one dash.

    >>> latex("50 % a_b")
    '50 \\% a\\_b'
    """
    apart = _LIGATURES.sub(lambda found: found[0] + "\0", text.replace("\0", ""))
    return "".join(_LATEX.get(c, c) for c in apart).replace("\0", "{}")
