"""A Redis server for the tests: the one that is named, else one on this machine, else one that is started for them.

Every test process has a prefix of its own in the database, so that processes never meet; its keys are deleted before each
test and at the end. Where there is no server and no `redis-server` to start, the tests are skipped, and the end of the run
says so. `RUVON_TEST_REDIS_URL` is a URL, or `own` for a server that the tests start, or `none`.
"""

import atexit
import functools
import os
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import redis

from ruvon.implementations.persistence.redis import RedisPersistenceProvider
from tests.support import servers

__all__ = ["Server", "client", "emptied", "free_port", "prefix", "private_server", "server", "store"]

_LOCAL = "redis://127.0.0.1:6379/9"
_MISSING = (
    "install the server (`apt-get install redis-server`, `brew install redis`), or set RUVON_TEST_REDIS_URL to one"
)


def server() -> str:
    """The URL of the server, with the number of a database; the test is skipped where there is none."""
    url, whose = _found()
    servers.used(f"Redis {_version(url)} ({whose})")
    return url


@functools.cache
def _found() -> tuple[str, str]:
    named = os.environ.get("RUVON_TEST_REDIS_URL") or ""
    if named == "none":
        servers.missing("Redis", _MISSING)
    if named not in {"", "own"}:
        return named, "of RUVON_TEST_REDIS_URL"
    if not named and _answers(_LOCAL):
        return _LOCAL, "on this machine"
    started = Server(Path(tempfile.mkdtemp(prefix="ruvon-redis-")))
    started.start()
    atexit.register(started.stop)
    return started.url, "started by the tests"


@functools.cache
def _version(url: str) -> str:
    with client(url) as asked:
        return str(asked.info("server")["redis_version"])


@functools.cache
def _version_of(program: str) -> str:
    said = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout
    return said.partition("v=")[2].split()[0]


@functools.cache
def prefix() -> str:
    """The prefix of this test process."""
    server()  # first, so that it ends last
    made = f"ruvon-test-{os.getpid()}-{secrets.token_hex(3)}"
    atexit.register(_delete_all, made)
    return made


def emptied() -> str:
    """The URL of the server, with nothing left under this process's prefix."""
    _delete_all(prefix())
    return server()


def store(url: str | None = None, **options: Any) -> RedisPersistenceProvider:
    """A provider on this process's prefix."""
    return RedisPersistenceProvider(url or server(), **{"prefix": prefix(), **options})


@contextmanager
def client(url: str | None = None) -> Generator[Any]:
    """A client behind the provider's back."""
    made: Any = redis.Redis.from_url(url or server())
    try:
        yield made
    finally:
        made.close()


def _delete_all(name: str) -> None:
    with client() as asked:
        for key in asked.scan_iter(match=f"{{{name}}}:*", count=1000):
            asked.delete(key)


def _answers(url: str) -> bool:
    try:
        with client(url) as asked:
            return bool(asked.ping())
    except redis.exceptions.RedisError:
        return False


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        found: int = probe.getsockname()[1]
    return found


def _program() -> str | None:
    return shutil.which("redis-server") or shutil.which("valkey-server")


class Server:
    """A server of the test's own, in a folder and on a port of its own."""

    def __init__(self, folder: Path, *options: str) -> None:
        self._folder = folder
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Start it, or start it again over what it has written."""
        program = _program()
        if program is None or os.environ.get("RUVON_TEST_REDIS_URL") == "none":
            servers.missing("Redis", _MISSING)
        command = [program, "--port", str(self.port), "--dir", str(self._folder), "--save", "", *self._options]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + 30
        while not _answers_something(self.port):
            if time.monotonic() > deadline or self._process.poll() is not None:
                raise RuntimeError(f"the Redis server on port {self.port} did not start")
            time.sleep(0.01)

    def kill(self) -> None:
        """End it as a power cut would."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def stop(self) -> None:
        """End it."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            self._process.wait()


def _answers_something(port: int) -> bool:
    """Also a server that wants a password answers; one that is still loading says so."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as opened:
            opened.sendall(b"PING\r\n")
            return not opened.recv(64).startswith(b"-LOADING")
    except OSError:
        return False


@contextmanager
def private_server(folder: Path, *options: str) -> Generator[Server]:
    """A server that may be killed, restarted and set up at will."""
    made = Server(folder, *options)
    made.start()
    servers.used(f"Redis {_version_of(_program() or '')} (a test's own)")
    try:
        yield made
    finally:
        made.stop()
