"""Vectors for Numba kernels: 512 pixels as bits, or 64 as floats.

Numba vectorises a loop only where it can prove that no two arrays overlap, which it cannot do for the rows of a ring.
Here the vector is explicit: an operator on it becomes one instruction or a few, whichever the processor has. Word i of
a ``Lanes`` holds pixels 64·i … 64·i + 63, pixel j of a word in bit j, little-endian throughout.

The functions at the end can be called from kernels alone.
"""

import operator
from collections.abc import Callable
from typing import Any, Protocol, TypeVar, cast

import numba
import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic, lower_builtin, models, register_model, type_callable
from numpy.typing import NDArray

__all__ = ["LANES", "PIXELS", "Floats", "Lanes", "Values", "Words", "all_set", "kernel", "load", "no_lanes", "octets"]
__all__ += ["prefetch", "repeat", "store"]

LANES = 8
"""64-bit words in a ``Lanes``."""

PIXELS = 64 * LANES
"""Pixels in a ``Lanes``."""

Words = NDArray[np.uint64]
Values = NDArray[np.float32]

_Function = TypeVar("_Function", bound=Callable[..., Any])
_Emit = Callable[[Any, ir.IRBuilder, Any, Any], Any]


class Lanes(Protocol):
    """One bit for each of 512 pixels, inside a kernel."""

    def __and__(self, other: "Lanes") -> "Lanes": ...
    def __or__(self, other: "Lanes") -> "Lanes": ...
    def __xor__(self, other: "Lanes") -> "Lanes": ...
    def __invert__(self) -> "Lanes": ...


class Floats(Protocol):
    """A float32 number for each of 64 pixels, inside a kernel."""

    def __add__(self, other: "Floats") -> "Floats": ...
    def __mul__(self, other: "Floats") -> "Floats": ...
    def __truediv__(self, other: "Floats") -> "Floats": ...


def kernel(function: _Function) -> _Function:
    """Compile `function` with Numba: without the GIL, kept on disk, inlined, division as in numpy.

    Notes
    -----
    A kernel allocates nothing: without Numba's runtime no array is counted as in use, which would take a call, and all
    vectors out of their registers, in the inmost loops.

    Numba notices a change of the file that holds a kernel, not one of the files that the kernel calls: whoever changes
    this file empties the ``__pycache__`` beside it.
    """
    options = {"nogil": True, "cache": True, "error_model": "numpy", "forceinline": True, "_nrt": False}
    return cast(_Function, cast(Any, numba.njit)(**options)(function))


class _LanesType(types.Type):
    layout = ir.VectorType(ir.IntType(64), LANES)


class _FloatsType(types.Type):
    layout = ir.VectorType(ir.FloatType(), 64)


_lanes: Any = cast(Any, _LanesType)("Lanes")
_floats: Any = cast(Any, _FloatsType)("Floats")


@register_model(_LanesType)
@register_model(_FloatsType)
class _VectorModel(models.PrimitiveModel):
    def __init__(self, manager: Any, kind: Any) -> None:
        cast(Any, super()).__init__(manager, kind, kind.layout)


def _operator(operation: Callable[..., Any], kind: Any, method: str, operands: int = 2) -> None:
    """Let `operation` on vectors of `kind` mean the builder's `method`."""

    def typer(context: Any) -> Callable[..., Any]:
        return lambda *given: kind if all(one is kind for one in given) else None

    def emit(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> Any:
        return getattr(builder, method)(*arguments)

    cast(Any, type_callable)(operation)(typer)
    cast(Any, lower_builtin)(operation, *[type(kind)] * operands)(emit)


_operator(operator.and_, _lanes, "and_")
_operator(operator.or_, _lanes, "or_")
_operator(operator.xor, _lanes, "xor")
_operator(operator.invert, _lanes, "not_", operands=1)
_operator(operator.add, _floats, "fadd")
_operator(operator.mul, _floats, "fmul")
_operator(operator.truediv, _floats, "fdiv")


def _pointer(context: Any, builder: ir.IRBuilder, array_type: Any, array: Any, index: Any, to: ir.Type) -> Any:
    data = context.make_array(array_type)(context, builder, array).data
    return builder.bitcast(builder.gep(data, [index]), to.as_pointer())


def _no_lanes(typing_context: Any) -> tuple[Any, _Emit]:
    return _lanes(), lambda context, builder, signature, arguments: ir.Constant(_lanes.layout, None)


def _all_set(typing_context: Any, pixels: Any) -> tuple[Any, _Emit]:
    def emit(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> Any:
        whole = ir.IntType(PIXELS)
        return builder.icmp_unsigned("==", builder.bitcast(arguments[0], whole), ir.Constant(whole, -1))

    return types.boolean(_lanes), emit


def _load(typing_context: Any, words: Any, index: Any) -> tuple[Any, _Emit]:
    def emit(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> Any:
        return builder.load(_pointer(context, builder, words, arguments[0], arguments[1], _lanes.layout), align=8)

    return _lanes(words, types.intp), emit


def _prefetch(typing_context: Any, words: Any, index: Any) -> tuple[Any, _Emit]:
    def emit(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> Any:
        pointer = _pointer(context, builder, words, arguments[0], arguments[1], ir.IntType(8))
        number = ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [pointer.type, number, number, number])
        function = cast(Any, cgutils).get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
        builder.call(function, [pointer, number(0), number(3), number(1)])  # to read, keep, data
        return context.get_dummy_value()

    return types.none(words, types.intp), emit


def _store(typing_context: Any, array: Any, index: Any, value: Any) -> tuple[Any, _Emit]:
    def emit(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> Any:
        pointer = _pointer(context, builder, array, arguments[0], arguments[1], value.layout)
        builder.store(arguments[2], pointer, align=1)
        return context.get_dummy_value()

    return types.none(array, types.intp, value), emit


def _octets(typing_context: Any, words: Any, index: Any) -> tuple[Any, _Emit]:
    octet = ir.VectorType(ir.IntType(8), 64)

    def emit(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> Any:
        first = _pointer(context, builder, words, arguments[0], arguments[1], ir.IntType(64))
        parts = []
        for p in range(8):
            word = builder.load(builder.gep(first, [ir.Constant(ir.IntType(64), p * LANES)]))
            chosen = builder.bitcast(word, ir.VectorType(ir.IntType(1), 64))
            parts.append(builder.select(chosen, ir.Constant(octet, [1 << p] * 64), ir.Constant(octet, None)))
        while len(parts) > 1:  # in a tree, so that no plane waits for all the others
            parts = [builder.add(a, b) for a, b in zip(parts[::2], parts[1::2], strict=True)]
        return builder.uitofp(parts[0], _floats.layout)

    return _floats(words, types.intp), emit


def _repeat(typing_context: Any, value: Any) -> tuple[Any, _Emit]:
    def emit(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> Any:
        empty = ir.Constant(_floats.layout, ir.Undefined)
        first = builder.insert_element(empty, arguments[0], ir.Constant(ir.IntType(32), 0))
        return builder.shuffle_vector(first, empty, ir.Constant(ir.VectorType(ir.IntType(32), 64), None))

    return _floats(types.float32), emit


no_lanes: Callable[[], Lanes] = cast(Any, intrinsic(_no_lanes))
"""No pixel set."""

all_set: Callable[[Lanes], bool] = cast(Any, intrinsic(_all_set))
"""Whether every pixel is set."""

load: Callable[[Words, int], Lanes] = cast(Any, intrinsic(_load))
"""Vector at an item of a flat array."""

prefetch: Callable[[Words, int], None] = cast(Any, intrinsic(_prefetch))
"""Ask for the cache line at an item of a flat array, which may lie outside it."""

store: Callable[[Words | Values, int, Lanes | Floats], None] = cast(Any, intrinsic(_store))
"""Write a vector at an item of a flat array: ``Lanes`` into words, ``Floats`` into values."""

octets: Callable[[Words, int], Floats] = cast(Any, intrinsic(_octets))
"""Numbers of 64 pixels from eight words, `LANES` items apart, that hold one bit of each; the first is at an item."""

repeat: Callable[[np.float32], Floats] = cast(Any, intrinsic(_repeat))
"""Give each pixel the same number."""
