"""What one call of a module may use."""

from dataclasses import dataclass
from datetime import timedelta
from typing import final

__all__ = ["WasmLimits"]

_MIB = 1024 * 1024


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class WasmLimits:
    """The limits of one call; each of them ends it with a `WasmError`."""

    fuel: int = 5_000_000_000
    """Instructions, as wasmtime counts them; one input uses the same fuel on every machine."""
    time: timedelta = timedelta(seconds=10)
    """Wall time of the run; waiting for a thread and compiling do not count."""
    memory_bytes: int = 64 * _MIB
    """Linear memory. A module that needs more at its start is refused; one that asks for more later gets no more."""
    table_elements: int = 100_000
    """Elements of its tables."""
    stack_bytes: int = 512 * 1024
    """Its call stack."""
    output_bytes: int = _MIB
    """Standard output."""
    stderr_bytes: int = 16 * 1024
    """Standard error that is kept; the rest is dropped."""
    module_bytes: int = 32 * _MIB
    """The module itself."""
