"""What a syntax tree says of names, against Python's own tables of symbols."""

from __future__ import annotations

import ast
import inspect
import symtable

import pytest
from places import ROOT

from ntire_bench.source import syntax

FILES = sorted((ROOT / "ntire_bench" / "source").glob("*.py"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_a_file_defines_what_python_finds_at_its_top_level(file):
    text = file.read_text(encoding="utf-8")
    found = {name for statement in ast.parse(text).body for name in syntax.defines(statement)}
    table = symtable.symtable(text, file.name, "exec")
    assert found - inside_comprehensions(ast.parse(text)) == {
        symbol.get_name() for symbol in table.get_symbols() if symbol.is_assigned() or symbol.is_imported()
    }


@pytest.mark.parametrize(
    "text",
    [
        "a = b.c[d](e, *f, **g)",
        "a += b",
        "for a, (b, *c) in d: e = a",
        "with a as b, c: d = b",
        "import a.b, c.d as e\nfrom f import g as h, i",
        "try:\n    a = b\nexcept c:\n    del d\nfinally:\n    e = 1",
        "if (a := b): c = a",
        "a: b = c",
    ],
)
def test_names_read_and_bound_are_those_of_python(text):
    tree = ast.parse(text)
    symbols = symtable.symtable(text, "<text>", "exec").get_symbols()
    bound = {one.get_name() for one in symbols if one.is_assigned() or one.is_imported()}
    assert syntax.names_bound(tree.body) == bound
    read = {one.get_name() for one in symbols if one.is_referenced()}
    assert syntax.names_read(tree) == read - augmented(tree)


def inside_comprehensions(tree):
    """Return the variables of comprehensions, which Python keeps in scopes of their own."""
    targets = [node.target for node in ast.walk(tree) if isinstance(node, ast.comprehension)]
    return syntax.names_bound(targets)


def augmented(tree):
    """Return the targets of +=, which Python also counts as read."""
    return {node.target.id for node in ast.walk(tree) if isinstance(node, ast.AugAssign)}


def function(a, b=1, /, c=2, *rest, d, e=3, **more):
    """Is inspected."""


def test_parameters_are_those_that_python_sees():
    (node,) = ast.parse(inspect.getsource(function)).body
    kinds = inspect.Parameter
    seen = inspect.signature(function).parameters.values()
    placed = [one.name for one in seen if one.kind in (kinds.POSITIONAL_ONLY, kinds.POSITIONAL_OR_KEYWORD)]
    assert syntax.positional_parameters(node) == placed
    assert syntax.parameters(node) == [*placed, *(one.name for one in seen if one.kind is kinds.KEYWORD_ONLY)]
