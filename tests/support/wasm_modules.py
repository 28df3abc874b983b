"""WebAssembly modules of the tests, as text, and the functions of WASI that they import."""

from hashlib import sha256

import wasmtime

__all__ = ["ECHO", "assemble", "digest_of", "saying"]

_READ = '(import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))'
_WRITE = '(import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))'

ECHO = f"""(module {_READ} {_WRITE} (memory (export "memory") 2)
  (func (export "execute")
    (i32.store (i32.const 0) (i32.const 1024)) (i32.store (i32.const 4) (i32.const 100000))
    (drop (call $read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8)))
    (i32.store (i32.const 4) (i32.load (i32.const 8)))
    (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))))"""
"""Answers with its input."""


def saying(
    text: str, body: str = "", *, stream: int = 1, entry: str = "execute", more: str = "", first: bool = False
) -> str:
    """A module that writes a text, then does `body`, or does that first."""
    steps = f"{body} (call $say)" if first else f"(call $say) {body}"
    shown = "".join(f"\\{byte:02x}" for byte in text.encode())
    return f"""(module {_WRITE} {more} (memory (export "memory") 2) (data (i32.const 1024) "{shown}")
      (func $say (i32.store (i32.const 0) (i32.const 1024)) (i32.store (i32.const 4) (i32.const {len(text.encode())}))
        (drop (call $write (i32.const {stream}) (i32.const 0) (i32.const 1) (i32.const 8))))
      (func (export "{entry}") {steps}))"""


def assemble(text: str) -> bytes:
    """The bytes of a module."""
    return bytes(wasmtime.wat2wasm(text))


def digest_of(text: str) -> str:
    """How a step names the module."""
    return f"sha256:{sha256(assemble(text)).hexdigest()}"
