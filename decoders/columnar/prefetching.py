"""Memory that a kernel will need soon: asked for ahead, so that nothing waits for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba
from numba.core import cgutils, config
from numba.extending import intrinsic

_READ, _KEEP, _DATA = 0, 3, 1
"""What LLVM's prefetch is told: it will be read, again and again, and is no code."""

_make: Any = cgutils
_intrinsic: Callable[[Any], Callable[[Any, int], None]] = intrinsic
"""Their stubs do not know all of it."""


def _ask(typing: Any, array: Any, row: Any) -> Any:
    """The type of a call, and what is compiled for it."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        kind, ir = signature.args[0], _make.ir
        array, row = context.make_array(kind)(context, builder, values[0]), values[1]
        place = [row] + [ir.Constant(row.type, 0)] * (kind.ndim - 1)
        found = _make.get_item_pointer(context, builder, kind, array, place, wraparound=False)
        address, number = ir.IntType(8).as_pointer(), ir.IntType(32)
        takes = ir.FunctionType(ir.VoidType(), [address, number, number, number])
        asked = _make.get_or_insert_function(builder.module, takes, "llvm.prefetch.p0i8")
        how = [ir.Constant(number, value) for value in (_READ, _KEEP, _DATA)]
        builder.call(asked, [builder.bitcast(found, address), *how])
        return context.get_dummy_value()

    return numba.types.void(array, numba.types.intp), generate


def _nothing(array: Any, row: int) -> None:
    """The compiler is switched off."""


prefetch = _nothing if vars(config)["DISABLE_JIT"] else _intrinsic(_ask)
"""``prefetch(array, row)``: the first octets of a row will be read or written soon. There need not
be such a row."""
