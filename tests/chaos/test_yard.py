"""Whatever ends a run of chaos, nothing of it is left on the machine."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from examples.distributed.lab.machines import ROOT
from tests.chaos.__main__ import main

OPENS = """
import signal
import time
from examples.distributed.lab.machines import Redis, Yard
signal.signal(signal.SIGINT, signal.default_int_handler)  # also where the tests run in a shell's background
with Yard() as yard:
    server = Redis(yard, "redis", durable=True)
    server.start()
    print(server.pid, yard.folder, flush=True)
    time.sleep(600)
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
def test_a_yard_whose_process_is_killed_is_cleaned_up(number: signal.Signals) -> None:
    """Its servers are ended and its folder is deleted, by another process where it cannot do it itself."""
    with subprocess.Popen(
        [sys.executable, "-c", OPENS], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as child:
        assert child.stdout is not None
        pid, folder = child.stdout.readline().split()
        try:
            child.send_signal(number)
            child.wait(60)
        finally:
            child.kill()
    until = time.monotonic() + 60
    while Path(folder).exists() or _runs(int(pid)):
        assert time.monotonic() < until, (pid, folder)
        time.sleep(0.05)


def _runs(pid: int) -> bool:
    """Whether the process is there, and no zombie that its new parent has not yet buried."""
    found = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return bool(found.stdout.strip()) and not found.stdout.startswith("Z")


def test_the_run_tells_its_options(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Number, seconds, seed and stores can be chosen."""
    monkeypatch.setattr(sys, "argv", ["chaos", "--help"])

    with pytest.raises(SystemExit) as ended:
        main()

    said = capsys.readouterr().out
    assert ended.value.code == 0
    assert all(
        option in said for option in ("--runs", "--seconds", "--settle", "--seed", "--store", "--broker", "--pause")
    )
