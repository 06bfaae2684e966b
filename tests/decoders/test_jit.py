"""How kernels are compiled: what Python may call of them."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest

from decoders.columnar.jit import inlined, kernel, merged, part
from decoders.columnar.prefetching import prefetch

JIT = os.environ.get("NUMBA_DISABLE_JIT") != "1"


@inlined
def doubled(number: int) -> int:
    return 2 * number


@part
def squared(number: int) -> int:
    return number * number


@merged
def negative(number: int) -> int:
    return -number


@kernel
def together(number: int) -> int:
    return negative(squared(doubled(number)))


def test_a_kernel_is_called_with_its_parts() -> None:
    assert together(3) == together(np.int64(3)) == -36


@pytest.mark.skipif(not JIT, reason="the compiler is switched off")
@pytest.mark.parametrize("function", [doubled, squared, negative])
def test_python_is_refused_a_part_before_and_after_it_is_compiled(function: object) -> None:
    """There is no code that could be called: without this the process would crash."""
    assert callable(function)
    for _ in range(2):
        with pytest.raises(TypeError, match="is part of kernels"):
            function(3)
        together(3)


def test_parts_are_plain_functions_when_the_compiler_is_switched_off() -> None:
    script = "from tests.decoders.test_jit import *; print(squared(3), negative(together(1)))"
    environment = {**os.environ, "NUMBA_DISABLE_JIT": "1"}
    run = [sys.executable, "-c", script]
    assert subprocess.check_output(run, env=environment, text=True).split() == ["9", "4"]


@kernel
def asked_for(array: np.ndarray, row: int) -> int:
    prefetch(array, row)
    return array[0, 0]


@pytest.mark.parametrize("row", [0, 1, 2, -1, 1 << 40])
def test_memory_may_be_asked_for_that_is_not_there(row: int) -> None:
    assert asked_for(np.full((2, 3), 7), row) == 7
