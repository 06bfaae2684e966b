"""How kernels are compiled: without the GIL, and kept on disk.

Numba keeps a compiled function as long as the function's own file does not change. A kernel also
depends on other files: the functions that it calls and the registry of fields, whose positions
are compiled in. So the folder it is kept in is named after all of them.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import numba
from numba.core import config

Kernel = TypeVar("Kernel", bound=Callable[..., Any])

_SETTINGS = vars(config)
_widened: Callable[[Any], Any] = numba.types.unliteral
_HERE = Path(__file__).parent
_DEPENDENCIES = (
    *(_HERE / name for name in ("classes.py", "jit.py", "numbers.py", "transport.py")),
    *(_HERE.parent / name for name in ("classify.py", "conversations.py", "fields.py", "names.py")),
    *(_HERE.parent / name for name in ("ports.py", "tcp_analysis.py", "tcp_flags.py")),
)


@cache
def _folder() -> str:
    """Where compiled kernels of these sources are kept; empty: where numba puts them."""
    digest = hashlib.sha256()
    for path in (*sorted((_HERE / "kernels").glob("*.py")), *_DEPENDENCIES):
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
        _SETTINGS["CACHE_DIR"] = _folder() or before
        try:
            compiled: Kernel = numba.njit(nogil=True, cache=True, **options)(function)
        finally:
            _SETTINGS["CACHE_DIR"] = before
        return _once_for_all_numbers(compiled)

    return compile_it


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
    """Compile a function, and keep it."""
    return _compiled()(function)


def inlined(function: Kernel) -> Kernel:
    """Compile a function into its callers."""
    return _compiled(forceinline=True)(function)


def merged(function: Kernel) -> Kernel:
    """Make a function part of its only caller, before anything is compiled."""
    return _compiled(inline="always")(function)
