"""How kernels are compiled: without the GIL and without counting references, and kept on disk.

Numba keeps a compiled function as long as the function's own file does not change. A kernel also
depends on other files: the functions that it calls and the registry of fields, whose positions
are compiled in. So the folder it is kept in is named after all files that its own one imports from.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import numba
from numba.core import config

Kernel = TypeVar("Kernel", bound=Callable[..., Any])

_OPTIONS = {"nogil": True, "no_cfunc_wrapper": True, "_nrt": False}
"""Nobody takes the address of a kernel, so that what calls it from C is not made. Kernels make no
arrays, so that numba need not count who holds those that they are given: half of their time."""

_SETTINGS = vars(config)
_widened: Callable[[Any], Any] = numba.types.unliteral
_njit: Callable[..., Callable[[Any], Any]] = numba.njit
"""Its stubs do not know all options."""
_HERE = Path(__file__).parent
_ROOM = _HERE.parent
_IMPORT = re.compile(r"^ *from (decoders[.\w]*) import (\([^)]*\)|[^\n]*)", re.MULTILINE)


@cache
def _imported(path: Path) -> frozenset[Path]:
    """Files of this package that a file imports from."""
    found: set[Path] = set()
    for module, names in _IMPORT.findall(path.read_text(encoding="utf-8")):
        place = _ROOM.joinpath(*module.split(".")[1:])
        candidates = [place.with_suffix(".py")]
        candidates += [place / f"{name}.py" for name in re.findall(r"\w+", names)]
        found.update(file for file in candidates if file.is_file())
    return frozenset(found)


def depends_on(path: Path) -> set[Path]:
    """All files of this package that what is compiled from a file depends on, and itself."""
    found, waiting = {path}, [path]
    while waiting:
        fresh = _imported(waiting.pop()) - found
        found |= fresh
        waiting += fresh
    return found


@cache
def _folder(source: Path) -> str:
    """Where what is compiled from a file is kept; empty: where numba puts it."""
    digest = hashlib.sha256()
    for path in sorted(depends_on(source)):
        digest.update(path.read_bytes())
    name = f"replicap-{digest.hexdigest()[:16]}"
    if _SETTINGS["CACHE_DIR"]:
        return os.path.join(_SETTINGS["CACHE_DIR"], name)
    beside = _HERE / "__pycache__"
    try:
        beside.mkdir(exist_ok=True)
    except OSError:
        return ""
    return str(beside / name) if os.access(beside, os.W_OK) else ""


def _compiled(**options: Any) -> Callable[[Kernel], Kernel]:
    def compile_it(function: Kernel) -> Kernel:
        before = _SETTINGS["CACHE_DIR"]
        _SETTINGS["CACHE_DIR"] = _folder(Path(function.__code__.co_filename)) or before
        try:
            compiled: Kernel = _njit(**_OPTIONS, **options)(function)
        finally:
            _SETTINGS["CACHE_DIR"] = before
        return _once_for_all_numbers(compiled)

    return compile_it


def _compiled_as_part(function: Kernel, **options: Any) -> Kernel:
    """Compile what kernels alone call: it is kept in them, and nothing calls it from Python.

    What numba makes so that Python can call a function, and writing it down, is a third of the
    time that compiling takes. Called from Python such a function raises TypeError.
    """
    compiled = _compiled(no_cpython_wrapper=True, **options)(function)
    if hasattr(compiled, "_insert"):

        def refuse(*args: Any, **kws: Any) -> Any:
            raise TypeError(f"{function.__name__} is part of kernels: Python cannot call it")

        # What is not entered in the table of machine code is asked of the second.
        vars(compiled)["_insert"] = lambda *args, **kws: None
        vars(compiled)["_compile_for_args"] = refuse
    return compiled


def _once_for_all_numbers(compiled: Kernel) -> Kernel:
    """Compile a function once for every integer, not anew for each constant it is called with.

    Numba types a constant argument as that constant; kernels are called with hundreds of them.
    """
    template_of = getattr(compiled, "get_call_template", None)
    if template_of is None:  # The compiler is switched off.
        return compiled

    def plain(args: Iterable[Any], kws: Mapping[str, Any]) -> Any:
        widened = {name: _widened(value) for name, value in kws.items()}
        return template_of(tuple(map(_widened, args)), widened)

    vars(compiled)["get_call_template"] = plain
    return compiled


def kernel(function: Kernel) -> Kernel:
    """Compile a function that Python calls, and keep it with all its parts."""
    return _compiled(cache=True)(function)


def part(function: Kernel) -> Kernel:
    """Compile a function that kernels call."""
    return _compiled_as_part(function)


def inlined(function: Kernel) -> Kernel:
    """Compile a function into the kernels and parts that call it."""
    return _compiled_as_part(function, forceinline=True)


def merged(function: Kernel) -> Kernel:
    """Make a function part of its only caller, before anything is compiled."""
    return _compiled_as_part(function, inline="always")
