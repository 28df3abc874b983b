"""`WasmtimeRuntime`: modules run in threads of their own, compiled once for each digest."""

import asyncio
import os
from collections import OrderedDict
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Lock
from typing import final

from ruvon.implementations.wasm._limits import WasmLimits
from ruvon.implementations.wasm._modules import ModuleSource
from ruvon.implementations.wasm._sandbox import Sandbox, compile_module
from ruvon.providers import ModuleRef

__all__ = ["WasmtimeRuntime"]


@final
class WasmtimeRuntime:
    """Runs WebAssembly modules (WASI preview 1) with wasmtime.

    Args:
        folder: holds the modules, as `<digest>.wasm` and `<name>.wasm`.
        modules: modules by name, in memory.
        pins: digests of modules in the folder that steps may name without one.
        limits: what one call may use.
        threads: calls at once; further ones wait.
        cached: compiled modules that are kept.
    """

    def __init__(
        self,
        folder: str | Path | None = None,
        *,
        modules: Mapping[str, bytes] | None = None,
        pins: Mapping[str, str] | None = None,
        limits: WasmLimits | None = None,
        threads: int = 4,
        cached: int = 32,
    ) -> None:
        self.limits = limits or WasmLimits()
        where = Path(folder) if folder is not None else None
        self._source = ModuleSource(where, modules or {}, pins or {}, self.limits.module_bytes)
        self._cached = cached
        self._codes: OrderedDict[str, bytes] = OrderedDict()
        self._lock = Lock()
        self._count = threads
        self._threads: ThreadPoolExecutor | None = None

    @classmethod
    def from_environment(cls) -> "WasmtimeRuntime":
        """The runtime over the folder that `RUVON_WASM_DIR` names, or over none."""
        return cls(os.environ.get("RUVON_WASM_DIR") or None)

    async def run(
        self, module: ModuleRef, data: Mapping[str, object], /, *, entry: str | None = None
    ) -> Mapping[str, object]:
        """Give a module one JSON object on its standard input, and take one from its standard output.

        Raises:
            WasmError: it was refused, stopped, or gave no answer.
            MissingExtraError: wasmtime is not installed.
        """
        loop = asyncio.get_running_loop()
        call = Sandbox(module, data, entry, self.limits)
        timers: list[asyncio.TimerHandle] = []

        def arm() -> None:
            timers.append(loop.call_later(self.limits.time.total_seconds(), call.stop, "timeout"))

        def work() -> dict[str, object]:
            digest, found = self._source.read(module)
            return call.run(self._code(module, digest, found), digest, lambda: loop.call_soon_threadsafe(arm))

        if self._threads is None:
            self._threads = ThreadPoolExecutor(self._count, thread_name_prefix="ruvon-wasm")
        future = loop.run_in_executor(self._threads, work)
        try:
            return await future
        except asyncio.CancelledError:
            call.stop("cancelled")
            raise
        finally:
            for timer in timers:
                timer.cancel()

    async def close(self) -> None:
        """Wait for the calls that run, and stop the threads."""
        threads, self._threads = self._threads, None
        if threads is not None:
            await asyncio.to_thread(threads.shutdown)

    def _code(self, module: ModuleRef, digest: str, data: bytes) -> bytes:
        with self._lock:
            known = self._codes.get(digest)
            if known is not None:
                self._codes.move_to_end(digest)
                return known
        made = compile_module(module, data, self.limits)
        with self._lock:
            self._codes[digest] = made
            while len(self._codes) > self._cached:
                self._codes.popitem(last=False)
        return made
