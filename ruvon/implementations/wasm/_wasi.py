"""The world of a module: WASI preview 1 with three streams, and nothing else.

A module built for WASI imports far more than it needs, so every function is there; those that would reach a file, a
socket, a clock or a variable of the environment say that they cannot. Chance is a stream that module and input decide,
so a repeated attempt does the same.

No function raises: wasmtime keeps the exception of a host function in one place of the process, where a module in another
thread would find it. What ends the module is noted here, and the epoch of its own engine does the rest.
"""

from collections.abc import Callable
from hashlib import sha256
from typing import Any, Final, TypeAlias, final

__all__ = ["SIGNATURES", "Streams"]

_OK: Final = 0
_BADF: Final = 8
_FAULT: Final = 21
_FBIG: Final = 22
_INVAL: Final = 28
_NOSYS: Final = 52
_SPIPE: Final = 70
_MOST_BUFFERS: Final = 1024
_MOST_CHANCE: Final = 65_536
_STDIN: Final = 0
_STDOUT: Final = 1
_STDERR: Final = 2
_CHARACTER_DEVICE: Final = 2
_MAY_READ: Final = 1 << 1
_MAY_WRITE: Final = 1 << 6
_U32: Final = 0xFFFFFFFF

SIGNATURES: Final = {
    name: signature
    for name, _, signature in (
        line.partition(" ")
        for line in """args_get ii;args_sizes_get ii;clock_res_get ii;clock_time_get iIi;environ_get ii
environ_sizes_get ii;fd_advise iIIi;fd_allocate iII;fd_close i;fd_datasync i;fd_fdstat_get ii;fd_fdstat_set_flags ii
fd_fdstat_set_rights iII;fd_filestat_get ii;fd_filestat_set_size iI;fd_filestat_set_times iIIi;fd_pread iiiIi
fd_prestat_dir_name iii;fd_prestat_get ii;fd_pwrite iiiIi;fd_read iiii;fd_readdir iiiIi;fd_renumber ii;fd_seek iIii
fd_sync i;fd_tell ii;fd_write iiii;path_create_directory iii;path_filestat_get iiiii;path_filestat_set_times iiiiIIi
path_link iiiiiii;path_open iiiiiIIii;path_readlink iiiiii;path_remove_directory iii;path_rename iiiiii
path_symlink iiiii;path_unlink_file iii;poll_oneoff iiii;proc_exit i;proc_raise i;random_get ii;sched_yield
sock_accept iii;sock_recv iiiiii;sock_send iiiii;sock_shutdown ii""".replace("\n", ";").split(";")
    )
}
"""The functions of WASI preview 1 with their parameters, `i` for 32 and `I` for 64 bits; all but `proc_exit` return 32."""

_Handler: TypeAlias = "Callable[[_Memory, list[int]], int]"


class _Memory:
    """The linear memory of the caller, with its bounds checked."""

    def __init__(self, memory: Any, caller: Any) -> None:
        self._memory = memory
        self._caller = caller

    def read(self, start: int, size: int) -> bytes:
        """Bytes; IndexError where they are none of the module's."""
        if start + size > self._memory.data_len(self._caller):
            raise IndexError(start)
        return bytes(self._memory.read(self._caller, start, start + size))

    def write(self, start: int, data: bytes) -> None:
        """Write bytes; IndexError where they are none of the module's."""
        if start + len(data) > self._memory.data_len(self._caller):
            raise IndexError(start)
        if data:
            self._memory.write(self._caller, data, start)

    def write_u32(self, start: int, value: int) -> None:
        """Write a number of 32 bits."""
        self.write(start, value.to_bytes(4, "little"))

    def buffers(self, start: int, count: int) -> list[tuple[int, int]]:
        """Addresses and sizes of an array of buffers."""
        table = self.read(start, count * 8)
        numbers = [int.from_bytes(table[at : at + 4], "little") for at in range(0, len(table), 4)]
        return list(zip(numbers[::2], numbers[1::2], strict=True))


@final
class Streams:
    """Standard input, output and error of one call, and how the module ended itself.

    Args:
        stdin: what the module reads.
        seed: decides the stream of chance.
        output_bytes: longest standard output.
        stderr_bytes: what is kept of standard error.
        stop: ends the module at its next loop turn or call.
    """

    def __init__(
        self, stdin: bytes, seed: bytes, output_bytes: int, stderr_bytes: int, stop: Callable[[], None]
    ) -> None:
        self.stdout = bytearray()
        self.stderr = bytearray()
        self.exit_code: int | None = None
        self.overflowed = False
        """It wrote more than it may."""
        self._stdin = stdin
        self._read = 0
        self._seed = seed
        self._drawn = 0
        self._output_bytes = output_bytes
        self._stderr_bytes = stderr_bytes
        self._stop = stop
        self._handlers: dict[str, _Handler] = {
            "args_get": _always(_OK),
            "args_sizes_get": _no_entries,
            "environ_get": _always(_OK),
            "environ_sizes_get": _no_entries,
            "fd_close": _stream(_always(_OK)),
            "fd_fdstat_get": _stream(_describe),
            "fd_prestat_get": _always(_BADF),
            "fd_read": self._fd_read,
            "fd_seek": _stream(_always(_SPIPE)),
            "fd_tell": _stream(_always(_SPIPE)),
            "fd_write": self._fd_write,
            "proc_exit": self._exit,
            "random_get": self._random,
            "sched_yield": _always(_OK),
        }

    def function(self, name: str) -> Callable[..., int | None]:
        """A function of WASI, for the linker; its first argument is the caller."""
        handler = self._handlers.get(name, _always(_NOSYS))
        has_result = name != "proc_exit"

        def call(caller: Any, *args: int) -> int | None:
            if self.exit_code is not None:
                return _NOSYS if has_result else None
            try:
                code = handler(_Memory(caller.get("memory"), caller), [arg & _U32 for arg in args])
            except (IndexError, AttributeError):  # outside of the memory, or a module that exports none
                code = _FAULT
            return code if has_result else None

        return call

    def _fd_read(self, memory: _Memory, args: list[int]) -> int:
        stream, table, count, done = args
        if stream != _STDIN:
            return _BADF
        if count > _MOST_BUFFERS:
            return _INVAL
        begun = self._read
        for start, size in memory.buffers(table, count):
            part = self._stdin[self._read : self._read + size]
            memory.write(start, part)
            self._read += len(part)
        memory.write_u32(done, self._read - begun)
        return _OK

    def _fd_write(self, memory: _Memory, args: list[int]) -> int:
        stream, table, count, done = args
        if stream not in (_STDOUT, _STDERR):
            return _BADF
        if count > _MOST_BUFFERS:
            return _INVAL
        buffers = memory.buffers(table, count)
        total = sum(size for _, size in buffers)
        if stream == _STDOUT and len(self.stdout) + total > self._output_bytes:
            self.overflowed = True
            self._stop()
            return _FBIG
        kept, room = (self.stdout, total) if stream == _STDOUT else (self.stderr, self._stderr_bytes - len(self.stderr))
        for start, size in buffers:
            part = memory.read(start, min(size, room))
            kept += part
            room -= len(part)
        memory.write_u32(done, total & _U32)
        return _OK

    def _exit(self, memory: _Memory, args: list[int]) -> int:
        self.exit_code = args[0]
        self._stop()
        return _OK

    def _random(self, memory: _Memory, args: list[int]) -> int:
        start, size = args
        if size > _MOST_CHANCE:
            return _INVAL
        drawn = bytearray()
        while len(drawn) < size:
            drawn += sha256(self._seed + self._drawn.to_bytes(8, "little")).digest()
            self._drawn += 1
        memory.write(start, bytes(drawn[:size]))
        return _OK


def _always(code: int) -> _Handler:
    """A function that does nothing."""

    def answer(_memory: _Memory, _args: list[int]) -> int:
        return code

    return answer


def _no_entries(memory: _Memory, args: list[int]) -> int:
    """No arguments and no environment: two counts of nothing."""
    memory.write_u32(args[0], 0)
    memory.write_u32(args[1], 0)
    return _OK


def _stream(handler: _Handler) -> _Handler:
    """A function of one of the three streams."""
    return lambda memory, args: handler(memory, args) if args[0] <= _STDERR else _BADF


def _describe(memory: _Memory, args: list[int]) -> int:
    rights = _MAY_READ if args[0] == _STDIN else _MAY_WRITE
    kind = _CHARACTER_DEVICE.to_bytes(8, "little")
    memory.write(args[1], kind + rights.to_bytes(8, "little") + bytes(8))
    return _OK
