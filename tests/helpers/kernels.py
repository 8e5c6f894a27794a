"""Submissions with a kernel in C, small enough to be compiled in a second, with and without a twin."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

needs_compiler = pytest.mark.skipif(
    shutil.which("c++") is None or shutil.which("cc") is None, reason="no C and C++ compiler is installed"
)
needs_ninja = pytest.mark.skipif(shutil.which("ninja") is None, reason="ninja is not installed")

# A module of Python's in plain C: torch's headers alone take half a minute to compile. It gets addresses, as
# kernels that are compiled at run time do.
SOURCE = r"""
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdlib.h>
static PyObject *gate(PyObject *self, PyObject *args) {
  /* out = (f + x) * (1 / (1 + |f|) - 0.5), for `count` values */
  unsigned long long f_, x_, out_;
  long count;
  if (!PyArg_ParseTuple(args, "KKKl", &f_, &x_, &out_, &count)) return NULL;
  const float *f = (const float *)f_, *x = (const float *)x_;
  float *out = (float *)out_;
  for (long i = 0; i < count; ++i) {
    float size = f[i] < 0 ? -f[i] : f[i];
    out[i] = (f[i] + x[i]) * (1.0f / (1.0f + size) - 0.5f);
  }
  Py_RETURN_NONE;
}
static PyObject *own_memory(PyObject *self, PyObject *args) {
  /* Memory of the kernel's own, which no operator has made. */
  long count;
  if (!PyArg_ParseTuple(args, "l", &count)) return NULL;
  return PyLong_FromVoidPtr(calloc(count, sizeof(float)));
}
static PyMethodDef methods[] = {
  {"gate", gate, METH_VARARGS, ""}, {"own_memory", own_memory, METH_VARARGS, ""}, {NULL, NULL, 0, NULL}};
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "NAME", NULL, -1, methods};
PyMODINIT_FUNC PyInit_NAME(void) { return PyModule_Create(&module); }
"""

_SETUP = """\
from setuptools import Extension, setup

setup(name="net", packages=["ops"], ext_modules=[Extension("ops._gate", ["ops/gate.c"])])
"""

_NETWORK = """\
import os

import torch
from torch import nn
from torch.nn import functional
from torch.utils.cpp_extension import load

from .ops import _gate

_run_time = load("run_time", [os.path.join(os.path.dirname(__file__), "ops", "run_time.cpp")])


class Gate(nn.Module):
    def __init__(self, kernel):
        super().__init__()
        self.kernel = kernel

    def forward(self, f, x):
        if not self.kernel:
            return self.forward_reference(f, x)
        out = torch.empty_like(f)
        _gate.gate(f.data_ptr(), x.data_ptr(), out.data_ptr(), f.numel())
        return out

    def forward_reference(self, f, x):
        return (f + x) * (1 / (1 + f.abs()) - 0.5)

    def forward_cheap(self, f, x):
        return (f + x) * 0.25

    def forward_kernel(self, f, x):
        _run_time.gate(f.data_ptr(), x.data_ptr(), f.data_ptr(), f.numel())
        return f


class Net(nn.Module):
    def __init__(self, kernel=True):
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        self.head = nn.Conv2d(3, 16, 3, padding=1)
        self.gate = Gate(kernel)
        self.tail = nn.Conv2d(16, 48, 3, padding=1)
        for parameter in self.parameters():
            parameter.data = torch.randn(parameter.shape, generator=generator) * 0.02

    def forward(self, lr):
        f = self.head(lr).contiguous()
        detail = functional.pixel_shuffle(self.tail(self.gate(f, f)), 4)
        return functional.interpolate(lr, scale_factor=4, mode="bicubic") + detail
"""


def package(folder: Path, declared: str) -> Path:
    """Write a package with a kernel that setup.py builds, and one that torch builds at run time.

    Args:
        folder: Of the package.
        declared: What SUBMISSION holds beside `model`, `data_range` and `checkpoint`.

    Returns:
        Its `__init__.py`.
    """
    (folder / "ops").mkdir(parents=True)
    (folder / "setup.py").write_text(_SETUP)
    (folder / "ops" / "__init__.py").write_text("")
    (folder / "ops" / "gate.c").write_text(SOURCE.replace("NAME", "_gate"))
    (folder / "ops" / "run_time.cpp").write_text(SOURCE.replace("NAME", "run_time"))
    (folder / "network.py").write_text(_NETWORK)
    submission = f'SUBMISSION = {{"model": "Net", "data_range": 1, "checkpoint": None, {declared}}}\n'
    init = folder / "__init__.py"
    init.write_text(f"from .network import Net\n\n{submission}")
    return init
