"""The command line as processes that ask a real `ruvon serve` on SQLite, with a key."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from tests.acceptance.test_serve import SECONDS, serving
from tests.support.processes import BIN

KEY = "admin-key-of-the-tests-0123456789"
FLOW = """workflow_type: Shop
workflow_version: {version}
steps:
  - {{name: approve, type: HUMAN_IN_LOOP, task: approve}}
  - {{name: finish, type: RETURN, value: "{version}"}}
"""


def ruvon(folder: Path, url: str, *args: str, key: str = KEY) -> tuple[int, str, str]:
    """What a command says that knows nothing but the server and a key."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("RUVON_")}
    done = subprocess.run(
        [str(BIN / "ruvon"), *args],
        env={**kept, "HOME": str(folder), "RUVON_SERVER_URL": url, "RUVON_API_KEY": key},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def test_a_session_against_a_server(tmp_path: Path) -> None:
    """Upload, run, migrate, answer, look; a wrong key and a server that is gone are sentences with their exit codes."""
    keys, here = tmp_path / "admin.key", tmp_path / "here"
    keys.write_text(KEY)
    keys.chmod(0o600)
    here.mkdir()
    for version in ("1.0.0", "1.1.0"):
        (here / f"{version}.yaml").write_text(FLOW.format(version=version))

    with serving(tmp_path, "server", "--auth", "api-key", "--admin-key-file", str(keys)) as (_, client):
        url = str(client.base_url)

        def said(*args: str) -> Any:
            code, out, err = ruvon(here, url, *args, "--json")
            assert code == 0, out + err
            return json.loads(out)

        said("definitions", "upload", "1.0.0.yaml")
        run = said("run", "Shop")["workflow_id"]
        said("definitions", "upload", "1.1.0.yaml")
        planned = said("migrate", "plan", "Shop", "--to", "1.1.0.yaml")
        moved = said("migrate", "apply", "Shop", "--to", "Shop@1.1.0", "--yes", "--reason", "new end")
        ended = said("resume", run[:23], "-i", "{}", "--auto")
        repaired = [row["note"] for row in said("logs", run) if row["kind"] == "repair"]
        refused = ruvon(here, url, "list", key="wrong")
    gone = ruvon(here, url, "list")

    assert (planned["counts"], moved["counts"]) == ({"planned": 1}, {"done": 1})
    assert (ended["status"], ended["result"], ended["workflow_version"]) == ("COMPLETED", "1.1.0", "1.1.0")
    assert [note.endswith(": new end") for note in repaired] == [True]
    assert (refused[0], "RUVON_API_KEY" in refused[2]) == (1, True)
    assert (gone[0], "is the server up" in gone[2]) == (3, True)
    assert not list(here.glob("*.db"))
