"""Who imports whom: torch stays in the worker, the reporting half stays light, and no edge is unlisted.

The table below is docs/ARCHITECTURE.md's; a test holds the two together.
"""

from __future__ import annotations

import ast
import graphlib
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "ntire_bench"

# What a module may import from the package, besides errors. At any level: in functions and for types too.
MAY_IMPORT: dict[str, str] = {
    "errors": "",
    "channel": "",
    "protocol": "",
    "records": "",
    "static_value": "",
    "command_line": "",
    "loop_slice": "",
    "branch_walk": "command_line loop_slice static_value",
    "branches": "branch_walk static_value",
    "given_file": "",
    "checkout": "given_file",
    "declaration": "given_file",
    "submission": "checkout declaration given_file",
    "baseline_rule": "",
    "baseline_choice": "baseline_rule submission",
    "challenge_root": "branch_walk branches checkout declaration given_file static_value submission",
    "png": "",
    "images": "png",
    "cache_dir": "",
    "pixel_cache": "cache_dir",
    "metrics": "",
    "estimate": "",
    "steadiness": "estimate",
    "stopping": "estimate records steadiness",
    "image_folder": "images png",
    "sample": "cache_dir images",
    "dataset": "image_folder images metrics pixel_cache png sample",
    "prepare": "image_folder images",
    "environment": "records",
    "monitor": "",
    "beside": "",
    "syscalls": "",
    "seccomp": "syscalls",
    "landlock": "syscalls",
    "view": "",
    "processes": "",
    "limits": "",
    "namespaces": "syscalls",
    "launch": "landlock namespaces processes seccomp syscalls",
    "bubblewrap": "namespaces view",
    "cgroups": "limits",
    "scratch": "",
    "spawn": "bubblewrap cgroups limits processes scratch seccomp syscalls view",
    "watch": "limits processes spawn",
    "canary": "processes syscalls",
    "isolation": "canary limits processes records spawn view",
    "sandbox": "channel isolation limits records spawn watch",
    "client": "checkout environment observation records sandbox submission",
    "measure": "attest contender dataset estimate quality records rounds steadiness",
    "contender": "client records submission",
    "crew": "client submission",
    "attest": "client",
    "quality": "attest records",
    "rounds": "attest beside contender dataset images metrics monitor quality submission",
    "resolve": "audit client contender environment given_file isolation protocol records submission",
    "session": "attest beside contender crew dataset environment isolation measure monitor protocol "
    "records resolve rounds stopping submission",
    "declare": "declaration records resolve submission",
    "evaluate": "contender crew dataset entries protocol records scoring session submission",
    "rehearsal": "baseline_choice dataset evaluate protocol records stopping submission",
    "fused_checkpoint": "client protocol records submission",
    "shipped_examples": "",
    "zoo": "submission",
    "campaign": "baseline_choice contender crew dataset environment evaluate protocol records resolve rounds "
    "session store submission",
    "checkpoint": "",
    "packages": "",
    "inference": "declaration packages",
    "source_text": "",
    "blueprint": "source_text",
    "shapes": "checkpoint",
    "arguments": "blueprint checkpoint source_text",
    "prototypes": "blueprint shapes",
    "sensitivity": "arguments checkpoint prototypes shapes",
    "search": "arguments blueprint checkpoint inference prototypes sensitivity shapes",
    "fitting": "arguments blueprint checkpoint inference search shapes source_text",
    "stand_in_answers": "",
    "stand_ins": "records stand_in_answers",
    "checkout_imports": "stand_ins",
    "trial": "inference",
    "trial_image": "inference",
    "outputs": "declaration inference records",
    "variants": "declaration fitting inference outputs records trial",
    "needs": "checkpoint inference trial variants",
    "candidates": "checkpoint packages search stand_ins",
    "as_declared": "blueprint checkpoint inference packages records shapes",
    "checkout_loop": "loop_slice",
    "checkout_script": "command_line loop_slice",
    "read_only": "",
    "gpu_calls": "",
    "checkout_reads": "checkpoint",
    "checkout_errors": "checkout checkout_reads checkpoint inference packages",
    "input_range": "inference records trial",
    "construction": "as_declared blueprint candidates checkpoint declaration fitting inference input_range "
    "needs outputs records search shapes source_text trial trial_image variants",
    "loader": "checkpoint construction declaration gpu_calls inference packages records stand_ins",
    "checkout_loader": "checkout checkout_errors checkout_imports checkout_loop checkout_reads "
    "checkout_script command_line declaration gpu_calls inference loader loop_slice "
    "read_only records trial_image",
    "observation": "",
    "scored_costs": "records",
    "evidence": "observation records scored_costs",
    "audit_wording": "",
    "flops_rules": "audit_wording evidence records scored_costs",
    "audit_rules": "audit_wording evidence flops_rules records scored_costs",
    "audit": "audit_rules client contender evidence observation records",
    "conduct": "",
    "operator_costs": "",
    "operator_facts": "",
    "origin": "",
    "provenance": "origin",
    "derived_weights": "origin provenance",
    "operator_watch": "derived_weights inference operator_costs operator_facts origin provenance",
    "observer": "conduct inference observation operator_watch origin",
    "influence": "inference",
    "complexity": "inference influence observation observer records",
    "timing": "",
    "planes": "",
    "device": "",
    "fusion": "complexity inference",
    "worker": "channel checkout checkout_loader complexity declaration device fusion inference loader planes "
    "timing",
    "entries": "protocol records scored_costs",
    "noise": "entries estimate protocol",
    "scoring": "entries noise protocol records",
    "stability": "estimate records",
    "stability_text": "records stability",
    "stability_plot": "records stability",
    "store": "records",
    "reference": "entries protocol",
    "selection": "entries protocol records store",
    "leaderboard": "entries protocol reference scoring selection store",
    "layout": "leaderboard records scoring",
    "results_table": "entries leaderboard selection",
    "results_file": "results_table selection",
    "imported_row": "entries protocol records results_file",
    "importing": "entries imported_row protocol records results_file scoring store",
    "export": "entries layout leaderboard records scoring selection",
    "page": "layout leaderboard scoring",
    "render": "export layout leaderboard page results_table",
    "gate": "entries protocol records scoring",
    "changed": "submission",
    "console": "checkout gate isolation records resolve submission zoo",
    "cli_options": "",
    "cli_catalogue": "baseline_choice challenge_root cli_options console shipped_examples submission",
    "cli_check": "baseline_choice cli_catalogue cli_options cli_output console declare evaluate "
    "protocol rehearsal resolve sample submission",
    "cli_output": "console leaderboard protocol render store",
    "cli_run": "baseline_choice campaign changed cli_catalogue cli_options cli_output console evaluate "
    "export gate protocol selection session stopping store submission zoo",
    "cli_stability": "cli_options cli_output console protocol stability stability_plot stability_text store",
    "cli_import": "cli_options cli_output console export importing protocol results_file store",
    "cli_weights": "baseline_choice cli_options cli_output console fused_checkpoint isolation protocol "
    "sample shipped_examples submission zoo",
    "cli": "cli_catalogue cli_check cli_import cli_options cli_output cli_run cli_stability cli_weights "
    "console leaderboard prepare render results_table",
}
TORCH = {
    "arguments", "as_declared", "blueprint", "candidates", "checkout_errors", "checkout_imports",
    "checkout_loader", "checkout_reads", "checkpoint", "complexity", "construction", "derived_weights",
    "device", "fitting", "fusion", "gpu_calls", "inference", "influence", "input_range", "loader",
    "needs", "observer", "operator_costs", "operator_facts", "operator_watch", "origin", "outputs",
    "planes", "prototypes", "provenance", "search", "sensitivity", "shapes", "source_text",
    "stand_in_answers", "stand_ins", "timing", "trial", "trial_image", "variants", "worker",
}  # fmt: skip
REPORTING = {
    "cli", "cli_catalogue", "cli_check", "cli_import", "cli_options", "cli_output", "cli_run",
    "cli_weights", "console", "entries", "errors", "export", "gate", "imported_row", "importing",
    "layout", "leaderboard", "protocol", "records", "reference", "render", "results_file",
    "results_table", "scored_costs", "scoring", "selection", "store",
}  # fmt: skip
HEAVY = {"torch", "torchvision", "fvcore", "pandas", "cv2", "skimage", "scipy"}

MODULES = sorted(path.stem for path in PACKAGE.glob("*.py") if path.stem not in ("__init__", "__main__"))


@cache
def imports(module: str, *, at_import_only: bool) -> frozenset[str]:
    """Return the dotted names that a module imports, with or without those in functions and for types."""
    tree = ast.parse((PACKAGE / f"{module}.py").read_text(encoding="utf-8"))
    names: set[str] = set()

    def visit(node: ast.AST) -> None:
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module} has a relative import, which this test does not follow"
            if node.module == "ntire_bench":
                names.update(f"ntire_bench.{alias.name}" for alias in node.names)
            else:
                names.add(str(node.module))
        elif at_import_only and isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            return
        elif at_import_only and isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            return
        for child in ast.iter_child_nodes(node):
            visit(child)

    visit(tree)
    return frozenset(names)


def own(module: str, *, at_import_only: bool) -> set[str]:
    """Return the package's modules that a module imports."""
    found = {
        name.split(".")[1]
        for name in imports(module, at_import_only=at_import_only)
        if "ntire_bench." in name
    }
    return found & set(MODULES)


def foreign(module: str) -> set[str]:
    """Return the top-level packages that a module imports when it is imported."""
    return {name.split(".")[0] for name in imports(module, at_import_only=True)} - {"ntire_bench"}


def reach(module: str) -> set[str]:
    """Return a module and all that is imported with it."""
    seen = {module}
    todo = [module]
    while todo:
        new = own(todo.pop(), at_import_only=True) - seen
        seen |= new
        todo += new
    return seen


def test_every_module_is_in_the_table_and_the_table_holds_no_other():
    assert sorted(MAY_IMPORT) == MODULES


@pytest.mark.parametrize("module", MODULES)
def test_imports_are_listed(module):
    unlisted = own(module, at_import_only=False) - set(MAY_IMPORT[module].split()) - {"errors"}
    assert not unlisted, (
        f"{module} imports {unlisted}, which neither this table nor docs/ARCHITECTURE.md lists"
    )


@pytest.mark.parametrize("module", MODULES)
def test_listed_imports_exist(module):
    stale = set(MAY_IMPORT[module].split()) - own(module, at_import_only=False)
    assert not stale, (
        f"{module} does not import {stale}; take it out of this table and of docs/ARCHITECTURE.md"
    )


def test_the_table_is_the_one_that_is_documented():
    text = (PACKAGE.parent / "docs" / "ARCHITECTURE.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\w+)( \(T\))? \| [^|]+ \|([^|]*)\|$", text, re.MULTILINE)
    documented = {name: cell.replace(",", " ").split() for name, _, cell in rows if name != "module"}
    assert documented == {name: listed.split() for name, listed in MAY_IMPORT.items()}
    assert {name for name, marked, _ in rows if marked} == TORCH


@pytest.mark.parametrize("at_import_only", [True, False], ids=["at import", "anywhere"])
def test_no_import_cycle(at_import_only):
    graph = {module: own(module, at_import_only=at_import_only) for module in MODULES}
    graphlib.TopologicalSorter(graph).prepare()  # raises CycleError


def test_torch_is_imported_by_the_workers_modules_alone():
    importing = {
        module
        for module in MODULES
        if any(name.split(".")[0] in ("torch", "fvcore") for name in imports(module, at_import_only=False))
    }
    assert importing <= TORCH
    assert {"inference", "loader", "complexity", "timing", "device", "worker"} <= importing


def test_no_module_of_the_parent_imports_one_of_the_workers():
    for module in set(MODULES) - TORCH:
        assert not own(module, at_import_only=False) & TORCH, module
    assert not any("worker" in own(module, at_import_only=False) for module in MODULES)


@pytest.mark.parametrize("module", sorted(REPORTING))
def test_the_reporting_half_is_light_when_it_is_imported(module):
    for part in reach(module):
        assert not foreign(part) & HEAVY, f"{module} imports {part}, which imports {foreign(part) & HEAVY}"


def loaded_by(code: str) -> set[str]:
    """Return the top-level modules in sys.modules after running code in a fresh interpreter."""
    code += "\nimport sys; print('MODULES', *{name.split('.')[0] for name in sys.modules})"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120
    )
    return set(done.stdout.rsplit("MODULES", 1)[1].split())


def test_the_parent_never_loads_torch():
    parents = ", ".join(f"ntire_bench.{module}" for module in MODULES if module not in TORCH)
    assert not loaded_by(f"import {parents}") & {"torch", "fvcore", "cv2", "skimage", "pandas"}


@pytest.mark.parametrize("option", ["--help", "--version"])
def test_help_and_version_load_nothing_heavy(option):
    code = f"from ntire_bench.cli import main\nmain.main([{option!r}], standalone_mode=False)"
    assert not loaded_by(code) & (HEAVY | {"numpy", "rich", "msgspec", "PIL"})


def test_the_leaderboard_loads_no_torch(tmp_path):
    arguments = ["leaderboard", "--results", str(tmp_path)]
    loaded = loaded_by(f"from ntire_bench.cli import main\nmain.main({arguments}, standalone_mode=False)")
    assert "rich" in loaded and not loaded & HEAVY
