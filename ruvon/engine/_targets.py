"""Assignment: a value into a variable, a state field, a path below one, or a tuple of them.

A value is validated against the declared type when it enters, encoded, and from then on read from its bytes. A path is
an assignment of the whole variable or field that it begins with, made of a copy in which only the path differs.
"""

from collections.abc import Callable
from typing import Any, TypeAlias, cast

from ruvon.engine._arguments import encode_error
from ruvon.engine._error_records import record_error
from ruvon.engine._frames import Strand
from ruvon.engine._run import Run
from ruvon.engine._state import assign
from ruvon.engine._values import Types, copy_value, validate
from ruvon.ir.expr import Attribute, Compiled, Expr, Name, Starred, Subscript, Tuple, compile_expr
from ruvon.ir.values._table import text_key

__all__ = ["TargetWriter", "bind_variable", "encode_variable", "target_writer"]

TargetWriter: TypeAlias = Callable[[Run, Strand, Any], None]
"""Assigns a value for a strand."""


def target_writer(target: Expr, types: Types) -> TargetWriter:
    """What assigns to `target`."""
    match target:
        case Name(id=name):
            return lambda run, strand, value: bind_variable(run, strand, name, value)
        case Attribute(value=Name(id="state"), name=field):
            return lambda run, strand, value: _write_field(run, strand, field, value)
        case Subscript(value=Name(id="state"), index=index):
            return _key_writer(compile_expr(index))
        case Tuple(items=items):
            return _tuple_writer([target_writer(item, types) for item in items])
        case Attribute() | Subscript():
            return _path_writer(target)
        case Starred() | _:
            raise TypeError(f"nothing can be assigned to a {type(target).__name__}")


def _tuple_writer(writers: list[TargetWriter]) -> TargetWriter:
    def write(run: Run, strand: Strand, value: Any) -> None:
        items = list(value)
        if len(items) != len(writers):
            few = "not enough values to unpack" if len(items) < len(writers) else "too many values to unpack"
            raise ValueError(f"{few} (expected {len(writers)}, got {len(items)})")
        for writer, item in zip(writers, items, strict=True):
            writer(run, strand, item)

    return write


def bind_variable(run: Run, strand: Strand, name: str, value: object) -> None:
    """Bind a variable to a value, validated against its declared type."""
    strand.scope.bind(name, encode_variable(run, name, value))


def encode_variable(run: Run, name: str, value: object) -> bytes:
    """The bytes of a variable's value."""
    types = run.program.types
    if isinstance(value, BaseException):
        return encode_error(record_error(value, types.dynamic))
    codec = types.variable(name)
    return codec.encode(validate(codec.annotation, value, name), name)


def _write_field(run: Run, strand: Strand, field: str, value: object) -> None:
    scope = strand.scope
    scope.write_state(assign(run.program.types.state, field, value, scope.fields))


def _key_writer(key: Compiled) -> TargetWriter:
    """Assigns a key of a state that is a dict."""

    def write(run: Run, strand: Strand, value: Any) -> None:
        _write_field(run, strand, text_key(key(run.env(strand))), value)

    return write


def _path_writer(target: Attribute | Subscript) -> TargetWriter:
    """Assigns below a variable or field: `state.lines[2].qty = 3`, `totals["a"] = 1`."""
    root, steps = _split(target)

    def write(run: Run, strand: Strand, value: Any) -> None:
        env = run.env(strand)
        keys = [(kind, key(env) if isinstance(key, Compiled) else key) for kind, key in steps]
        if root != "state":
            holder = copy_value(env.names[root])
            _set_path(holder, keys, value)
            bind_variable(run, strand, root, holder)
            return
        field = text_key(keys[0][1])
        holder = copy_value(_inside(env.names["state"], keys[0]))
        _set_path(holder, keys[1:], value)
        _write_field(run, strand, field, holder)

    return write


_Step: TypeAlias = tuple[str, Any]


def _split(target: Expr) -> tuple[str, list[_Step]]:
    """The name that a path begins with, and the steps below it."""
    steps: list[_Step] = []
    here = target
    while True:
        match here:
            case Attribute(value=inner, name=name):
                steps.append(("attribute", name))
                here = inner
            case Subscript(value=inner, index=index):
                steps.append(("item", compile_expr(index)))
                here = inner
            case Name(id=name):
                return name, steps[::-1]
            case _:
                raise TypeError(f"nothing can be assigned to a path that begins with a {type(here).__name__}")


def _set_path(holder: Any, keys: list[_Step], value: object) -> None:
    for step in keys[:-1]:
        holder = _inside(holder, step)
    kind, key = keys[-1]
    if kind == "attribute":
        setattr(holder, cast("str", key), copy_value(value))
    else:
        holder[key] = copy_value(value)


def _inside(holder: Any, step: _Step) -> Any:
    kind, key = step
    return getattr(holder, cast("str", key)) if kind == "attribute" else holder[key]
