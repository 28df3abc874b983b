"""WebAssembly modules in a sandbox: `WasmtimeRuntime`, and `WasmLimits` of one call. Needs the extra `wasm`."""

from ruvon.implementations.wasm._limits import WasmLimits
from ruvon.implementations.wasm._runtime import WasmtimeRuntime

__all__ = ["WasmLimits", "WasmtimeRuntime"]
