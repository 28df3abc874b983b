"""The page about Redis is true: its program runs against a server, its arguments and classes are the ones that there are."""

import inspect
import os
import re
import subprocess
import sys
from pathlib import Path

from ruvon.implementations.persistence.redis import RedisPersistenceProvider
from tests.support.redis import private_server

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "redis.md").read_text(encoding="utf-8")
ALLOWED = "on >pw ~{ruvon}:* &{ruvon}:* +@read +@write +@scripting +@pubsub +@connection"


def run(url: str, folder: Path) -> str:
    """What the program of the page prints."""
    program = PAGE.partition("```python\n")[2].partition("```")[0]
    (folder / "orders.py").write_text(
        program.replace("\nasyncio.run(main())", '\nif __name__ == "__main__":\n    asyncio.run(main())')
    )
    variables = {name: value for name, value in os.environ.items() if name != "RUVON_DB_URL"}
    done = subprocess.run(
        [sys.executable, "-c", "import asyncio, orders; asyncio.run(orders.main())"],
        cwd=folder,
        env={**variables, "REDIS_URL": url, "PYTHONPATH": f"{folder}{os.pathsep}{ROOT}"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return done.stdout.strip() or done.stderr


def test_the_program_of_the_page_runs_with_the_rights_of_the_page(tmp_path: Path) -> None:
    """From `REDIS_URL`, to its end; with the rights that the page names and no others."""
    folder = tmp_path / "server"
    folder.mkdir()
    rights = ALLOWED.partition("+@read")[2]
    assert f"+@read{rights}" in " ".join(PAGE.split())
    with private_server(folder, "--user", *f"app {ALLOWED}".split()) as far:
        assert run(far.url.replace("://", "://app:pw@"), tmp_path) == "COMPLETED 500"


def test_every_argument_is_in_the_table_with_its_default() -> None:
    """But the clock, which is for tests."""
    rows = dict(re.findall(r"^\| `(\w+)` \|([^|]*)\|", PAGE, re.MULTILINE))
    found = inspect.signature(RedisPersistenceProvider).parameters
    defaults = {name: item.default for name, item in found.items() if name != "clock"}

    assert list(rows) == list(defaults)
    for name, text in rows.items():
        value = defaults[name]
        assert text.strip() == ("" if value is None else f'`"{value}"`' if isinstance(value, str) else f"`{value}`")
