"""Which folder imports which: torch stays in worker/, the reporting half stays light, no edge is unlisted.

The tables below are docs/ARCHITECTURE.md's; a test holds the two together. What other folders may import of a
folder, its face, is said by the docstring of its `__init__.py`.
"""

from __future__ import annotations

import ast
import functools
import graphlib
import re
import subprocess
import sys
from dataclasses import dataclass

import pytest
from places import ROOT
from record_factory import make_record

import ntire_bench
from ntire_bench.records import store

PACKAGE = ROOT / "ntire_bench"

# What the modules of a folder may import from other folders, at any level: in functions and for types too.
# Everybody may import errors, interruption and text.
MAY_IMPORT: dict[str, str] = {
    "protocols": "",
    "records": "",
    "source": "",
    "metrics": "",
    "data": "metrics",
    "wire": "records",
    "machine": "records",
    "claims": "machine records",
    "estimating": "records",
    "submissions": "source wire",
    "isolation": "machine records",
    "worker": "records source wire",
    "client": "data isolation machine records submissions wire",
    "audit": "client records wire",
    "ranking": "claims data estimating protocols records",
    "challenge_results": "protocols ranking records",
    "reporting": "challenge_results data estimating metrics protocols ranking records",
    "measuring": "audit client data estimating isolation machine metrics protocols records source "
    "submissions",
    "fleet": "claims machine protocols ranking records",
    "workflows": "claims client data estimating isolation machine measuring metrics protocols ranking "
    "records source submissions wire",
    "cli": "challenge_results claims data estimating fleet isolation measuring protocols ranking records "
    "reporting submissions workflows",
}
# The same between a folder, by its name alone, and the folders in it.
MAY_IMPORT_INSIDE: dict[str, str] = {
    "submissions": "",
    "submissions/checkout": "submissions",
    "isolation": "isolation/inside isolation/levels",
    "isolation/inside": "isolation/levels",
    "isolation/levels": "",
    "reporting": "",
    "reporting/site": "reporting",
    "worker": "worker/checkout worker/costs worker/loading worker/network",
    "worker/network": "",
    "worker/fitting": "worker/network",
    "worker/costs": "worker/network",
    "worker/loading": "worker/fitting worker/network",
    "worker/checkout": "worker/loading worker/network",
}
# Modules beside the folders: nothing in a folder imports them, but errors, interruption and text.
BESIDE = {
    "__main__": "cli",
    "api": "data estimating metrics protocols ranking records reporting submissions workflows",
    "errors": "",
    "interruption": "",
    "text": "",
}
ALL_MAY_IMPORT = {"errors", "interruption", "text"}

HEAVY = {
    "torch",
    "torchvision",
    "fvcore",
    "pandas",
    "cv2",
    "skimage",
    "scipy",
    "matplotlib",
    "altair",
    "vl_convert",
    "jinja2",
}
# Light when they are imported: a leaderboard builds anywhere, and the command starts fast.
REPORTING = ("protocols", "records", "ranking", "challenge_results", "reporting", "cli")
# A worker's first process starts without any installed package.
FIRST_PROCESS = ("isolation/inside", "isolation/levels")


@dataclass(frozen=True)
class Import:
    """One name that a module imports.

    Attributes:
        module: The module it is imported from, dotted; of another package, that package.
        name: The name; None for a module as a whole.
        early: Whether it is imported when the importing module is.
    """

    module: str
    name: str | None
    early: bool


@functools.cache
def modules() -> list[str]:
    """Return all modules, dotted, without the `__init__` files."""
    files = [path for path in PACKAGE.rglob("*.py") if "examples" not in path.parts]
    names = [".".join(path.relative_to(ROOT).with_suffix("").parts) for path in files]
    return sorted(name for name in names if not name.endswith(".__init__"))


def folder(module: str) -> str:
    """Return the folder of a module of ours, such as "worker/network"; "" for one beside the folders."""
    return "/".join(module.split(".")[1:-1])


@functools.cache
def imports(module: str) -> frozenset[Import]:
    """Return what a module imports."""
    path = ROOT / (module.replace(".", "/") + ".py")
    path = path if path.is_file() else path.with_suffix("") / "__init__.py"
    found: set[Import] = set()

    def visit(node: ast.AST, early: bool) -> None:
        if isinstance(node, ast.Import):
            found.update(Import(alias.name, None, early) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module} has a relative import, which this test does not follow"
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                is_module = (ROOT / (whole.replace(".", "/") + ".py")).is_file()
                found.add(
                    Import(whole, None, early) if is_module else Import(str(node.module), alias.name, early)
                )
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            early = False
        elif isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            early = False
        for child in ast.iter_child_nodes(node):
            visit(child, early)

    visit(ast.parse(path.read_text(encoding="utf-8")), True)
    return frozenset(found)


@functools.cache
def own(module: str, *, early: bool = False) -> set[str]:
    """Return the modules of the package that a module imports, all or those at its import."""
    known = set(modules())
    return {one.module for one in imports(module) if one.module in known and (one.early or not early)}


def foreign(module: str, *, early: bool = True) -> set[str]:
    """Return the other packages that a module imports, all or those at its import."""
    found = {one.module.split(".")[0] for one in imports(module) if one.early or not early}
    return found - {"ntire_bench"}


def reach(module: str) -> set[str]:
    """Return a module and all modules of the package that are imported with it."""
    seen, todo = {module}, [module]
    while todo:
        new = own(todo.pop(), early=True) - seen
        seen |= new
        todo += new
    return seen


@functools.cache
def edges() -> dict[str, set[str]]:
    """Return for every folder the folders that its modules import, both as "worker/network"."""
    found: dict[str, set[str]] = {folder(module): set() for module in modules()}
    for module in modules():
        for other in own(module):
            if folder(other) not in (folder(module), ""):
                found[folder(module)].add(folder(other))
    return found


def top(place: str) -> str:
    return place.split("/")[0]


def outer_edges() -> dict[str, set[str]]:
    """Return the edges between the folders at the top."""
    found: dict[str, set[str]] = {}
    for place, others in edges().items():
        if place:
            found.setdefault(top(place), set()).update(top(other) for other in others)
    return {place: others - {place} for place, others in found.items()}


def inner_edges() -> dict[str, set[str]]:
    """Return the edges between a folder and the folders in it."""
    nested = {top(place) for place in edges() if "/" in place}
    return {
        place: {other for other in others if top(other) == top(place)}
        for place, others in edges().items()
        if top(place) in nested
    }


def test_folders_import_what_the_table_lists_and_no_other():
    assert outer_edges() == {place: set(listed.split()) for place, listed in MAY_IMPORT.items()}


def test_folders_inside_of_a_folder_import_what_the_table_lists_and_no_other():
    assert inner_edges() == {place: set(listed.split()) for place, listed in MAY_IMPORT_INSIDE.items()}


def test_beside_the_folders_lie_few_modules_and_only_three_are_for_all():
    beside = {module.split(".")[1] for module in modules() if folder(module) == ""}
    assert beside == set(BESIDE)
    for name, listed in BESIDE.items():
        others = {folder(other) for other in own(f"ntire_bench.{name}")} - {""}
        # `cli` is imported by its own __init__, which names the commands.
        named = [one.module.split(".") for one in imports(f"ntire_bench.{name}") if one.name]
        faces = {parts[1] for parts in named if parts[0] == "ntire_bench" and len(parts) > 1}
        assert others | (faces & set(MAY_IMPORT)) == set(listed.split()), name
    for module in modules():
        if folder(module):
            used = {other.split(".")[1] for other in own(module) if folder(other) == ""}
            assert used <= ALL_MAY_IMPORT, module


def test_the_tables_are_those_that_are_documented():
    text = (ROOT / "docs" / "ARCHITECTURE.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| ([\w/]+) \| [^|]+ \|([^|]*)\|$", text, re.MULTILINE)
    documented = [(name, cell.replace(",", " ").split()) for name, cell in rows if name != "folder"]
    tables = [*MAY_IMPORT.items(), *MAY_IMPORT_INSIDE.items()]
    assert documented == [(name, listed.split()) for name, listed in tables]


@pytest.mark.parametrize("early", [True, False], ids=["at import", "anywhere"])
def test_no_import_cycle(early):
    graph = {module: own(module, early=early) for module in modules()}
    graphlib.TopologicalSorter(graph).prepare()  # raises CycleError


def test_no_cycle_of_folders():
    graphlib.TopologicalSorter({place: others for place, others in edges().items() if place}).prepare()


# Faces


def face(place: str) -> set[str]:
    """Return what a folder's docstring says that others import of it."""
    text = (PACKAGE / place / "__init__.py").read_text(encoding="utf-8")
    docstring = ast.get_docstring(ast.parse(text)) or ""
    said = re.findall(r"^Others import[: ]\s*([\w\s.,]+)\.$", docstring, re.MULTILINE)
    assert len(said) == 1, f'{place}/__init__.py must say once "Others import: module, module.name."'
    return set(said[0].replace(",", " ").split()) - {"nothing"}


@pytest.mark.parametrize("place", sorted(place for place in edges() if place and place != "cli"))
def test_others_import_of_a_folder_what_its_docstring_names(place):
    begin = "ntire_bench." + place.replace("/", ".") + "."
    used: set[str] = set()
    allowed = face(place)
    for module in modules():
        if folder(module) == place:
            continue
        for one in imports(module):
            if folder(one.module) == place and one.module.startswith(begin):
                leaf = one.module.rpartition(".")[2]
                fine = {leaf} if one.name is None else {leaf, f"{leaf}.{one.name}"}
                assert fine & allowed, f"{module} imports {leaf}.{one.name or ''} of {place}, not in its face"
                used |= fine & allowed
    started = {
        "launch",
        "canary",
        "serve",
    }  # by their names in a text, as the first thing that a process runs
    assert used >= allowed - started, f"nobody imports {allowed - started - used} of {place}"


def test_init_files_import_nothing():
    for path in PACKAGE.rglob("__init__.py"):
        if path.parent in (PACKAGE, PACKAGE / "cli") or "examples" in path.parts:
            continue
        (statement,) = ast.parse(path.read_text(encoding="utf-8")).body
        assert isinstance(statement, ast.Expr), f"{path} holds more than a docstring"


# What is heavy, and where


def test_torch_is_imported_by_the_worker_alone():
    importing = {
        top(folder(module)) for module in modules() if foreign(module, early=False) & {"torch", "fvcore"}
    }
    assert importing == {"worker"}


@pytest.mark.parametrize("place", FIRST_PROCESS)
def test_a_workers_first_process_needs_the_standard_library_alone(place):
    reached = {part for module in modules() if folder(module) == place for part in reach(module)}
    assert reached
    for part in reached:
        assert foreign(part) <= sys.stdlib_module_names, part


@pytest.mark.parametrize("place", REPORTING)
def test_the_reporting_half_is_light_when_it_is_imported(place):
    for module in [one for one in modules() if top(folder(one)) == place]:
        for part in reach(module):
            found = foreign(part) & HEAVY
            assert not found, f"{module} imports {part}, which imports {found}"


def loaded_by(code: str) -> set[str]:
    """Return the top-level modules in sys.modules after running code in a fresh interpreter."""
    code += "\nimport sys; print('MODULES', *{name.split('.')[0] for name in sys.modules})"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120
    )
    return set(done.stdout.rsplit("MODULES", 1)[1].split())


def test_the_parent_never_loads_torch():
    parents = ", ".join(module for module in modules() if top(folder(module)) != "worker" and folder(module))
    assert not loaded_by(f"import {parents}") & {"torch", "fvcore", "cv2", "skimage", "pandas"}


def test_the_package_itself_loads_nothing():
    assert not loaded_by("import ntire_bench") & (HEAVY | {"numpy", "rich", "msgspec", "PIL", "click"})
    assert ntire_bench.PACKAGE == PACKAGE


@pytest.mark.parametrize("option", ["--help", "--version"])
def test_help_and_version_load_nothing_heavy(option):
    code = f"from ntire_bench.cli import main\nmain.main([{option!r}], standalone_mode=False)"
    assert not loaded_by(code) & (HEAVY | {"numpy", "rich", "msgspec", "PIL"})


def test_the_leaderboard_loads_no_torch(tmp_path):
    store.save(make_record(), tmp_path)
    arguments = ["leaderboard", "--results", str(tmp_path)]
    loaded = loaded_by(f"from ntire_bench.cli import main\nmain.main({arguments}, standalone_mode=False)")
    assert "rich" in loaded and not loaded & HEAVY
