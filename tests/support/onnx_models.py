"""Tiny ONNX models of the tests, written as protobuf by hand."""

import struct
from collections.abc import Sequence

__all__ = ["FLOAT", "INT64", "STRING", "endless", "linear", "passing"]

FLOAT, INT64, STRING, BOOL = 1, 7, 8, 9
"""Element types of ONNX."""
Shape = Sequence[int | str]


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes((*out, value))


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _part(field: int, data: bytes | str) -> bytes:
    data = data.encode() if isinstance(data, str) else data
    return _varint(field << 3 | 2) + _varint(len(data)) + data


def _value(name: str, kind: int, shape: Shape) -> bytes:
    """A ValueInfoProto."""
    sizes = b"".join(_part(1, _part(2, size) if isinstance(size, str) else _number(1, size)) for size in shape)
    return _part(1, name) + _part(2, _part(1, _number(1, kind) + _part(2, sizes)))


def _floats(name: str, shape: Sequence[int], values: Sequence[float]) -> bytes:
    """A TensorProto of floats."""
    sizes = b"".join(_number(1, size) for size in shape)
    return sizes + _number(2, FLOAT) + _part(8, name) + _part(9, struct.pack(f"<{len(values)}f", *values))


def _ints(name: str, kind: int, value: int) -> bytes:
    """A scalar TensorProto of integers or truth values."""
    raw = struct.pack("<q", value) if kind == INT64 else bytes([value])
    return _number(2, kind) + _part(8, name) + _part(9, raw)


def _node(op: str, inputs: Sequence[str], outputs: Sequence[str], attribute: bytes = b"") -> bytes:
    """A NodeProto."""
    ends = b"".join(_part(1, name) for name in inputs) + b"".join(_part(2, name) for name in outputs)
    return ends + _part(4, op) + (_part(5, attribute) if attribute else b"")


def _graph(
    nodes: Sequence[bytes], inputs: Sequence[bytes], outputs: Sequence[bytes], tensors: Sequence[bytes] = ()
) -> bytes:
    parts = [*(_part(1, item) for item in nodes), _part(2, "g"), *(_part(5, item) for item in tensors)]
    return b"".join([*parts, *(_part(11, item) for item in inputs), *(_part(12, item) for item in outputs)])


def _model(graph: bytes) -> bytes:
    return _number(1, 8) + _part(7, graph) + _part(8, _number(2, 17))


def linear(weights: Sequence[Sequence[float]], bias: Sequence[float]) -> bytes:
    """`y = x @ weights + bias` for rows of floats."""
    rows, columns = len(weights), len(bias)
    tensors = [_floats("w", (rows, columns), [item for row in weights for item in row]), _floats("b", (columns,), bias)]
    nodes = [_node("MatMul", ("x", "w"), ("m",)), _node("Add", ("m", "b"), ("y",))]
    return _model(_graph(nodes, [_value("x", FLOAT, ("n", rows))], [_value("y", FLOAT, ("n", columns))], tensors))


def passing(kinds: dict[str, int]) -> bytes:
    """Gives each input, a list, back as the output `<name>_out`."""
    nodes = [_node("Identity", (name,), (f"{name}_out",)) for name in kinds]
    inputs = [_value(name, kind, ("n",)) for name, kind in kinds.items()]
    return _model(_graph(nodes, inputs, [_value(f"{name}_out", kind, ("n",)) for name, kind in kinds.items()]))


def endless() -> bytes:
    """Adds numbers without end."""
    body = _graph(
        [_node("Identity", ("go",), ("go_on",)), _node("Add", ("v", "v"), ("v_next",))],
        [_value("turn", INT64, ()), _value("go", BOOL, ()), _value("v", FLOAT, ("n",))],
        [_value("go_on", BOOL, ()), _value("v_next", FLOAT, ("n",))],
    )
    attribute = _part(1, "body") + _part(6, body) + _number(20, 5)
    node = _node("Loop", ("turns", "always", "x"), ("y",), attribute)
    tensors = [_ints("turns", INT64, 2**62), _ints("always", BOOL, 1)]
    return _model(_graph([node], [_value("x", FLOAT, ("n",))], [_value("y", FLOAT, ("n",))], tensors))
