"""One call of one module, in the thread that runs it.

Each call has an engine, a store and an instance of its own; the compiled code is shared as bytes. So a call is stopped by
the epoch of its engine without touching any other, and nothing of one call is left for the next.
"""

import json
from collections.abc import Callable, Mapping
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final, Literal, cast, final

from ruvon.implementations.wasm._limits import WasmLimits
from ruvon.implementations.wasm._wasi import SIGNATURES, Streams
from ruvon.models import WasmError, WasmFault
from ruvon.providers import MissingExtraError, ModuleRef

if TYPE_CHECKING:
    import wasmtime

__all__ = ["Sandbox", "compile_module"]

_WASI: Final = "wasi_snapshot_preview1"
_ENTRIES: Final = ("execute", "_start")
_SHOWN: Final = 500
_NOT_ALLOWED: Final = (
    "wasm_threads",
    "wasm_multi_memory",
    "wasm_memory64",
    "wasm_relaxed_simd",
    "wasm_gc",
    "wasm_function_references",
    "wasm_component_model",
)
"""Proposals whose resources the limits do not cover, or whose results differ from machine to machine."""


def _wasmtime() -> Any:
    try:
        import wasmtime  # noqa: PLC0415 - an optional package
    except ImportError:
        raise MissingExtraError("wasm", "wasmtime") from None
    return wasmtime


def _new_engine(limits: WasmLimits) -> "wasmtime.Engine":
    package = _wasmtime()
    config = package.Config()
    config.consume_fuel = True
    config.epoch_interruption = True
    config.cranelift_nan_canonicalization = True
    config.max_wasm_stack = limits.stack_bytes
    for name in _NOT_ALLOWED:
        setattr(config, name, False)
    return cast("wasmtime.Engine", package.Engine(config))


def compile_module(module: ModuleRef, data: bytes, limits: WasmLimits) -> bytes:
    """Machine code of a module, to be loaded into the engine of a call.

    Raises:
        WasmError: it is not valid, or needs what the sandbox does not have.
    """
    package = _wasmtime()
    try:
        return bytes(package.Module(_new_engine(limits), data).serialize())
    except package.WasmtimeError as exc:
        raise WasmError("module", f"{module.text} is no valid module: {_short(str(exc))}", module.text) from None


@final
class Sandbox:
    """A call: made on the loop, run in a thread, stopped from anywhere."""

    def __init__(self, module: ModuleRef, data: Mapping[str, object], entry: str | None, limits: WasmLimits) -> None:
        self._module = module
        self._entry = entry
        self._limits = limits
        self._stdin = _input(module, data)
        self._engine: wasmtime.Engine | None = None
        self._stopped: Literal["timeout", "cancelled"] | None = None

    def stop(self, why: Literal["timeout", "cancelled"]) -> None:
        """End the module at its next loop turn or call; harmless when it has ended."""
        self._stopped = self._stopped or why
        self._interrupt()

    def _interrupt(self) -> None:
        engine = self._engine
        if engine is not None:
            engine.increment_epoch()

    def run(self, code: bytes, digest: str, begin: Callable[[], object]) -> dict[str, object]:
        """Run the module.

        Args:
            code: its machine code.
            digest: of the module.
            begin: called when the time of the run begins.

        Raises:
            WasmError: it was stopped, failed, or gave no answer.
        """
        package = _wasmtime()
        limits = self._limits
        engine = self._engine = _new_engine(limits)
        store = package.Store(engine)
        seed = sha256(digest.encode() + self._stdin).digest()
        streams = Streams(self._stdin, seed, limits.output_bytes, limits.stderr_bytes, self._interrupt)
        store.set_limits(limits.memory_bytes, limits.table_elements, instances=1, tables=16, memories=1)
        store.set_fuel(limits.fuel)
        store.set_epoch_deadline(1)
        begin()
        if self._stopped is not None:  # before the deadline was set, which counts from then
            raise self._error("timeout", "was stopped before it began", streams)
        linked = self._linker(package, engine, package.Module.deserialize(engine, code), streams)
        try:
            code_of_exit = self._call(package, store, linked)
        except package.Trap as trap:
            code_of_exit = self._after_trap(package, trap, streams)
        except package.WasmtimeError as exc:
            fault: WasmFault = "memory" if "exceeds memory limits" in str(exc) else "module"
            raise self._error(fault, f"cannot begin: {_short(str(exc))}", streams) from None
        finally:
            store.close()
        return self._answer(code_of_exit, streams)

    def _linker(self, package: Any, engine: Any, module: Any, streams: Streams) -> tuple[Any, Any]:
        """The module, and a linker with the functions that it imports."""
        linker = package.Linker(engine)
        kinds = {"i": package.ValType.i32(), "I": package.ValType.i64()}
        for wanted in {(item.module, item.name) for item in module.imports}:
            space, name = wanted
            if space != _WASI or name not in SIGNATURES:
                raise self._error("module", f"imports `{space}.{name}`, which the sandbox does not have", streams)
            results = [] if name == "proc_exit" else [kinds["i"]]
            signature = package.FuncType([kinds[kind] for kind in SIGNATURES[name]], results)
            linker.define_func(space, name, signature, streams.function(name), access_caller=True)
        return linker, module

    def _call(self, package: Any, store: Any, linked: tuple[Any, Any]) -> int:
        linker, module = linked
        entry = self._entry_of(package, module)
        exports = linker.instantiate(store, module).exports(store)
        prepare = exports.get("_initialize")
        if entry != "_start" and isinstance(prepare, package.Func):
            prepare(store)
        return int(exports[entry](store) or 0)

    def _entry_of(self, package: Any, module: Any) -> str:
        functions = {item.name: item.type for item in module.exports if isinstance(item.type, package.FuncType)}
        wanted = (self._entry,) if self._entry is not None else _ENTRIES
        found = next((name for name in wanted if name in functions), None)
        if found is None:
            there = ", ".join(f"`{name}`" for name in sorted(functions)) or "none"
            names = " or ".join(f"`{name}`" for name in wanted)
            raise self._error("entry", f"exports no function {names}; it has {there}", None)
        kind = functions[found]
        if list(kind.params) or [str(item) for item in kind.results] not in ([], ["i32"]):
            message = (
                f"exports `{found}` with parameters or a result; an entry takes none and returns nothing or a code"
            )
            raise self._error("entry", message, None)
        return found

    def _after_trap(self, package: Any, trap: Any, streams: Streams) -> int:
        """The code with which it ended itself; else why it was stopped."""
        code = trap.trap_code
        if streams.exit_code is not None:
            return streams.exit_code
        if streams.overflowed:
            raise self._error("output", f"wrote more than {self._limits.output_bytes} bytes", streams) from None
        if self._stopped is not None:
            raise self._error("timeout", f"did not end within {self._limits.time}", streams) from None
        if code is package.TrapCode.OUT_OF_FUEL:
            raise self._error("fuel", f"used up its fuel of {self._limits.fuel}", streams) from None
        name = code.name.lower().replace("_", " ") if code is not None else _short(trap.message)
        raise self._error("trap", f"trapped: {name}", streams) from None

    def _answer(self, code: int, streams: Streams) -> dict[str, object]:
        code = streams.exit_code if streams.exit_code is not None else code
        if streams.overflowed:
            raise self._error("output", f"wrote more than {self._limits.output_bytes} bytes", streams)
        if code != 0:
            raise self._error("exit", f"ended with the code {code}", streams)
        try:
            found: object = json.loads(streams.stdout, parse_constant=_refuse_constant)
        except (ValueError, RecursionError) as exc:
            raise self._error("output", f"wrote no JSON object: {_short(str(exc))}", streams) from None
        if not isinstance(found, dict):
            raise self._error("output", f"wrote JSON that is no object but a {type(found).__name__}", streams)
        return cast("dict[str, object]", found)

    def _error(self, fault: WasmFault, what: str, streams: Streams | None) -> WasmError:
        said = streams.stderr.decode("utf-8", "backslashreplace").strip() if streams is not None else ""
        tail = f"; it said: {_short(said)}" if said else ""
        return WasmError(fault, f"the module {self._module.text} {what}{tail}", self._module.text, said)


def _input(module: ModuleRef, data: Mapping[str, object]) -> bytes:
    try:
        return json.dumps(data, allow_nan=False, ensure_ascii=False, separators=(",", ":")).encode()
    except (TypeError, ValueError) as exc:
        raise WasmError("input", f"the input of {module.text} has no JSON form: {exc}", module.text) from None


def _refuse_constant(text: str) -> object:
    raise ValueError(f"{text} is not JSON")


def _short(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
