"""`WasmtimeRuntime`: what a module is given, what it is refused, and how each way of going wrong is told."""

import asyncio
import sys
from collections.abc import Mapping
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import wasmtime

from ruvon.implementations.wasm import WasmLimits, WasmtimeRuntime
from ruvon.implementations.wasm._sandbox import Sandbox
from ruvon.implementations.wasm._wasi import SIGNATURES
from ruvon.models import WasmError
from ruvon.providers import MissingExtraError, ModuleRef, WasmRuntime
from tests.support.wasm_modules import ECHO, assemble, digest_of, saying

SPIN = '(module (memory (export "memory") 1) (func (export "execute") (loop $again (br $again))))'


def ask(
    text: str, data: Mapping[str, Any] | None = None, *, entry: str | None = None, **limits: Any
) -> Mapping[str, Any]:
    """The answer of a module that is given as text."""

    async def call() -> Mapping[str, Any]:
        runtime = WasmtimeRuntime(modules={"it": assemble(text)}, limits=WasmLimits(**limits))
        try:
            return await runtime.run(ModuleRef.parse("it"), data or {}, entry=entry)
        finally:
            await runtime.close()

    return asyncio.run(call())


def failure(text: str, data: Mapping[str, Any] | None = None, *, entry: str | None = None, **limits: Any) -> WasmError:
    """The error of a module that is given as text."""
    with pytest.raises(WasmError) as caught:
        ask(text, data, entry=entry, **limits)
    return caught.value


def test_it_is_a_runtime() -> None:
    """The class has what the engine asks of a runtime."""
    assert isinstance(WasmtimeRuntime(), WasmRuntime)


def test_one_object_in_and_one_out() -> None:
    """The input arrives on standard input as JSON, the answer is what was written on standard output."""
    data = {"text": "é\n\u2028", "n": 2**70, "list": [1.5, None, True], "deep": {"a": {}}}
    assert ask(ECHO, data) == data


def test_execute_comes_before_start_and_a_name_before_both() -> None:
    """Without a name the entry is `execute`, or `_start`."""
    assert ask(saying('{"a": 1}', entry="_start")) == {"a": 1}
    assert ask(saying('{"a": 2}', entry="other"), entry="other") == {"a": 2}
    error = failure(saying('{"a": 2}', entry="other"))
    assert error.fault == "entry"
    assert "`execute` or `_start`; it has `other`" in str(error)


def test_an_entry_takes_nothing() -> None:
    """An export with parameters is no entry."""
    text = '(module (memory (export "memory") 1) (func (export "execute") (param i32)))'
    assert failure(text).fault == "entry"


def test_a_reactor_is_prepared_first() -> None:
    """`_initialize` is called before the entry."""
    body = "(if (i32.eqz (global.get $ready)) (then unreachable))"
    more = '(global $ready (mut i32) (i32.const 0)) (func (export "_initialize") (global.set $ready (i32.const 1)))'
    assert ask(saying('{"ok": true}', body, more=more)) == {"ok": True}


@pytest.mark.parametrize(
    ("text", "fault", "words"),
    [
        (saying("{}", "unreachable"), "trap", "trapped: unreachable"),
        (saying("{}", "(drop (i32.div_u (i32.const 1) (i32.const 0)))"), "trap", "integer division by zero"),
        (saying("{}", "(drop (i32.load (i32.const 9999999)))"), "trap", "memory out of bounds"),
        (saying("{}", "(call $say) (call 2)"), "trap", "stack overflow"),
        (saying("", ""), "output", "wrote no JSON object"),
        (saying("[1]"), "output", "no object but a list"),
        (saying('{"a": NaN}'), "output", "NaN is not JSON"),
        (saying('{"a": 1} {"b": 2}'), "output", "wrote no JSON object"),
        (saying("[" * 60_000), "output", "wrote no JSON object"),
    ],
    ids=lambda item: item if isinstance(item, str) and len(item) < 40 else "module",
)
def test_ways_to_fail(text: str, fault: str, words: str) -> None:
    """Each failure has its word, and a sentence."""
    error = failure(text)
    assert error.fault == fault
    assert words in str(error)


def test_fuel_ends_an_endless_loop() -> None:
    """Fuel bounds the work, the same on every machine."""
    error = failure(SPIN, fuel=100_000)
    assert error.fault == "fuel"
    assert "100000" in str(error)


def test_time_ends_an_endless_loop() -> None:
    """The time limit stops the module by the epoch of its engine."""
    assert failure(SPIN, fuel=2**62, time=timedelta(milliseconds=20)).fault == "timeout"


def test_time_ends_a_flood_of_calls() -> None:
    """A module that calls its host without end is stopped like any other."""
    text = saying("", "(loop $again (call $say) (br $again))")
    assert failure(text, fuel=2**62, time=timedelta(milliseconds=20)).fault == "timeout"


def test_cancelling_frees_the_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """A cancelled call stops the module: the only thread answers the next one."""

    async def scenario() -> Mapping[str, object]:
        loop, begun = asyncio.get_running_loop(), asyncio.Event()
        real = Sandbox.run

        def run(call: Sandbox, code: bytes, digest: str, begin: Any) -> Any:
            return real(call, code, digest, lambda: (begin(), loop.call_soon_threadsafe(begun.set)))

        monkeypatch.setattr(Sandbox, "run", run)
        limits = WasmLimits(fuel=2**62, time=timedelta(hours=1))
        runtime = WasmtimeRuntime(modules={"spin": assemble(SPIN), "echo": assemble(ECHO)}, limits=limits, threads=1)
        task = asyncio.ensure_future(runtime.run(ModuleRef.parse("spin"), {}))
        answer = asyncio.ensure_future(runtime.run(ModuleRef.parse("echo"), {"a": 1}))
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        found = await answer
        await runtime.close()
        return found

    assert asyncio.run(scenario()) == {"a": 1}


def test_memory_at_the_start() -> None:
    """A module that declares more memory than it may have is refused."""
    text = '(module (memory (export "memory") 100) (func (export "execute")))'
    error = failure(text, memory_bytes=10 * 65536)
    assert error.fault == "memory"


def test_memory_later() -> None:
    """`memory.grow` beyond the limit gives -1."""
    grow = "(if (i32.ne (memory.grow (i32.const 1000)) (i32.const -1)) (then unreachable))"
    assert ask(saying("{}", grow), memory_bytes=10 * 65536) == {}
    assert failure(saying("{}", grow), memory_bytes=2000 * 65536).fault == "trap"


def test_output_is_capped() -> None:
    """A module that writes more than it may is stopped at that write."""
    flood = saying("x" * 1000, "(loop $again (call $say) (br $again))")
    error = failure(flood, fuel=2**62, output_bytes=10_000)
    assert error.fault == "output"
    assert "10000 bytes" in str(error)


def test_standard_error_is_kept_in_part() -> None:
    """The beginning of standard error is in the error, the rest is dropped, and the module goes on."""
    error = failure(saying("help! ", "(call $say) (call $say) unreachable", stream=2), stderr_bytes=9)
    assert error.fault == "trap"
    assert error.stderr == "help! hel"
    assert "it said: help!" in str(error)


@pytest.mark.parametrize(("code", "fault"), [(0, None), (3, "exit")])
def test_proc_exit(code: int, fault: str | None) -> None:
    """A module ends itself with a code; nothing after it counts."""
    more = '(import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))'
    text = saying('{"a": 1}', f"(call $exit (i32.const {code})) (call $say) (loop $again (br $again))", more=more)
    if fault is None:
        assert ask(text, fuel=2**62) == {"a": 1}
    else:
        error = failure(text, fuel=2**62)
        assert (error.fault, "code 3" in str(error)) == ("exit", True)


def test_an_entry_that_returns_a_code() -> None:
    """A code other than 0 is a failure."""
    text = '(module (memory (export "memory") 1) (func (export "execute") (result i32) (i32.const 7)))'
    assert "code 7" in str(failure(text))


def test_nothing_but_wasi_is_there() -> None:
    """An import that the sandbox does not have is named."""
    error = failure('(module (import "env" "open_door" (func)) (func (export "execute")))')
    assert error.fault == "module"
    assert "imports `env.open_door`" in str(error)


def test_a_wrong_signature_is_refused() -> None:
    """A function of WASI that is imported with other parameters is no function of WASI."""
    text = '(module (import "wasi_snapshot_preview1" "fd_write" (func (param i64))) (func (export "execute")))'
    assert failure(text).fault == "module"


def probe(name: str) -> str:
    """A module that calls a function of WASI with zeros, and answers with what it returned, in two digits."""
    kinds = {"i": "i32", "I": "i64"}
    params = " ".join(kinds[kind] for kind in SIGNATURES[name])
    zeros = " ".join(f"({kinds[kind]}.const 0)" for kind in SIGNATURES[name])
    more = f"""(import "wasi_snapshot_preview1" "{name}" (func $it (param {params}) (result i32)))
        (global $code (mut i32) (i32.const 0))"""
    ask = f"""(global.set $code (call $it {zeros}))
        (i32.store8 (i32.const 1030) (i32.add (i32.const 48) (i32.div_u (global.get $code) (i32.const 10))))
        (i32.store8 (i32.const 1031) (i32.add (i32.const 48) (i32.rem_u (global.get $code) (i32.const 10))))"""
    return saying('{"a":"??"}', ask, more=more, first=True)


GIVEN = {"args_get", "args_sizes_get", "environ_get", "environ_sizes_get", "fd_close", "fd_fdstat_get", "fd_read",
         "random_get", "sched_yield"}  # fmt: skip
STREAM_ONLY = {"fd_prestat_get": "08", "fd_seek": "70", "fd_tell": "70"}


@pytest.mark.parametrize("name", sorted(set(SIGNATURES) - {"proc_exit", "fd_write"}))
def test_what_a_module_may_do(name: str) -> None:
    """No file, no socket, no clock, no process: everything but its streams is answered with an error number."""
    assert ask(probe(name)) == {"a": "00" if name in GIVEN else STREAM_ONLY.get(name, "52")}


def test_chance_is_decided_by_the_input() -> None:
    """The same input draws the same numbers, so a repeated attempt does the same; another input draws others."""
    more = '(import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))'
    more += "(global $i (mut i32) (i32.const 0))"
    drawn = "(i32.load8_u (i32.add (i32.const 2000) (global.get $i)))"
    body = f"""(drop (call $random (i32.const 2000) (i32.const 40)))
        (loop $next
          (i32.store8 (i32.add (i32.const 1029) (global.get $i))
            (i32.add (i32.const 49) (i32.rem_u {drawn} (i32.const 9))))
          (global.set $i (i32.add (global.get $i) (i32.const 1)))
          (br_if $next (i32.lt_u (global.get $i) (i32.const 40))))"""
    text = saying('{"a":' + "1" * 40 + "}", body, more=more, first=True)
    first, again, other = ask(text, {"x": 1}), ask(text, {"x": 1}), ask(text, {"x": 2})
    assert first == again
    assert first != other
    assert len(str(first["a"])) == 40


def test_input_without_a_json_form() -> None:
    """What JSON cannot say never reaches the module."""
    assert failure(ECHO, {"a": float("nan")}).fault == "input"
    assert failure(ECHO, {"a": object()}).fault == "input"


def test_the_digest_is_checked_before_every_run(tmp_path: Path) -> None:
    """A file that is changed after its first run is refused, though its compiled code is still there."""
    pin = digest_of(ECHO).removeprefix("sha256:")
    file = tmp_path / "echo.wasm"
    file.write_bytes(assemble(ECHO))
    module = ModuleRef.parse(f"echo#sha256={pin}")

    async def scenario() -> WasmError:
        runtime = WasmtimeRuntime(tmp_path)
        assert await runtime.run(module, {"a": 1}) == {"a": 1}
        file.write_bytes(assemble(saying("{}")))
        with pytest.raises(WasmError) as caught:
            await runtime.run(module, {"a": 1})
        await runtime.close()
        return caught.value

    error = asyncio.run(scenario())
    assert error.fault == "hash"
    assert pin in str(error)


def test_ways_to_name_a_module(tmp_path: Path) -> None:
    """By digest, by name and digest, and by a name that the runtime pins; never by a name alone."""
    data, pin = assemble(ECHO), digest_of(ECHO).removeprefix("sha256:")
    (tmp_path / f"{pin}.wasm").write_bytes(data)
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "echo.wasm").write_bytes(data)
    names = (f"sha256:{pin}", pin.upper(), f"sub/echo#sha256={pin}", f"sub/echo.wasm#{pin}")

    async def scenario() -> None:
        runtime = WasmtimeRuntime(tmp_path)
        for name in names:
            assert await runtime.run(ModuleRef.parse(name), {"a": 1}) == {"a": 1}
        with pytest.raises(WasmError, match="nobody pinned the digest") as caught:
            await runtime.run(ModuleRef.parse("sub/echo"), {})
        assert caught.value.fault == "hash"
        pinned = WasmtimeRuntime(tmp_path, pins={"sub/echo": pin})
        assert await pinned.run(ModuleRef.parse("sub/echo"), {"a": 2}) == {"a": 2}
        await runtime.close()
        await pinned.close()

    asyncio.run(scenario())


@pytest.mark.parametrize("text", ["", "sha256:12", "name#sha256=12", "name#"])
def test_what_names_no_module(text: str) -> None:
    """A reference that is none is refused with the forms that there are."""
    with pytest.raises(ValueError, match="write `sha256:`"):
        ModuleRef.parse(text)


@pytest.mark.parametrize("name", ["../outside", "/etc/passwd", "a\0b", "missing"])
def test_only_files_of_the_folder(tmp_path: Path, name: str) -> None:
    """No name leads out of the folder."""
    (tmp_path / "outside.wasm").write_bytes(assemble(ECHO))
    (tmp_path / "in").mkdir()
    runtime = WasmtimeRuntime(tmp_path / "in")
    with pytest.raises(WasmError) as caught:
        asyncio.run(runtime.run(ModuleRef(name, name, "0" * 64), {}))
    assert caught.value.fault == "module"


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"no module at all", "is no module"),
        (b"\0asm\x0d\0\x01\0", "is a component"),
        (b"\0asm\x01\0\0\0\xff", "is no valid module"),
        (b"(module)", "is no module"),
    ],
)
def test_what_is_no_module(data: bytes, words: str) -> None:
    """Only core modules in binary form are compiled."""
    runtime = WasmtimeRuntime(modules={"it": data})
    with pytest.raises(WasmError, match=words) as caught:
        asyncio.run(runtime.run(ModuleRef.parse("it"), {}))
    assert caught.value.fault == "module"


def test_a_module_that_is_too_large(tmp_path: Path) -> None:
    """No more of a file is read than a module may have."""
    (tmp_path / "big.wasm").write_bytes(assemble(ECHO))
    runtime = WasmtimeRuntime(tmp_path, limits=WasmLimits(module_bytes=50))
    with pytest.raises(WasmError, match="more than the 50 bytes"):
        asyncio.run(runtime.run(ModuleRef("big", "big", "0" * 64), {}))


def test_a_module_is_compiled_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compiled code is kept by digest, and the oldest is forgotten."""
    made: list[bytes] = []
    real = wasmtime.Module.__init__
    monkeypatch.setattr(
        wasmtime.Module, "__init__", lambda self, engine, data: (made.append(data), real(self, engine, data))[1]
    )
    texts = {"echo": assemble(ECHO), "say": assemble(saying("{}")), "same": assemble(ECHO)}

    async def scenario() -> None:
        runtime = WasmtimeRuntime(modules=texts, cached=1)
        for name in ("echo", "same", "echo", "say", "echo"):
            await runtime.run(ModuleRef.parse(name), {"a": 1})
        await runtime.close()

    asyncio.run(scenario())
    assert made == [texts["echo"], texts["say"], texts["echo"]]


def test_calls_at_once_do_not_mix() -> None:
    """Each call has streams, memory and an ending of its own."""
    more = '(import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))'
    modules = {
        "echo": assemble(ECHO),
        "exit": assemble(saying("", "(call $exit (i32.const 3))", more=more)),
        "trap": assemble(saying("", "unreachable")),
    }

    async def one(runtime: WasmtimeRuntime, name: str, number: int) -> object:
        try:
            return await runtime.run(ModuleRef.parse(name), {"n": number})
        except WasmError as exc:
            return exc.fault

    async def scenario() -> list[object]:
        runtime = WasmtimeRuntime(modules=modules)
        found = await asyncio.gather(*(one(runtime, ("echo", "exit", "trap")[n % 3], n) for n in range(120)))
        await runtime.close()
        return found

    assert asyncio.run(scenario()) == [({"n": n}, "exit", "trap")[n % 3] for n in range(120)]


def test_without_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error of a missing package names the extra."""
    monkeypatch.setitem(sys.modules, "wasmtime", None)
    runtime = WasmtimeRuntime(modules={"it": b"\0asm\x01\0\0\0"})
    with pytest.raises(MissingExtraError, match=r"ruvon\[wasm\]"):
        asyncio.run(runtime.run(ModuleRef.parse("it"), {}))


def test_the_folder_of_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`RUVON_WASM_DIR` names the folder; without it nothing is found."""
    (tmp_path / f"{sha256(assemble(ECHO)).hexdigest()}.wasm").write_bytes(assemble(ECHO))
    monkeypatch.setenv("RUVON_WASM_DIR", str(tmp_path))
    assert asyncio.run(WasmtimeRuntime.from_environment().run(ModuleRef.parse(digest_of(ECHO)), {"a": 1})) == {"a": 1}
    monkeypatch.delenv("RUVON_WASM_DIR")
    with pytest.raises(WasmError, match="RUVON_WASM_DIR"):
        asyncio.run(WasmtimeRuntime.from_environment().run(ModuleRef.parse(digest_of(ECHO)), {}))
