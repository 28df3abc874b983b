"""The page about PostgreSQL is true: its program runs against a server, its variables are the ones that are read."""

import os
import re
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest

from ruvon.implementations.persistence.postgres import PoolSettings
from tests.support.postgres import database, emptied, needs_postgres

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "postgres.md").read_text(encoding="utf-8")


@needs_postgres
def test_the_program_of_the_page_runs(tmp_path: Path) -> None:
    """From `DATABASE_URL`, to its end."""
    emptied()
    program = PAGE.partition("```python\n")[2].partition("```")[0]
    (tmp_path / "orders.py").write_text(
        program.replace("\nasyncio.run(main())", '\nif __name__ == "__main__":\n    asyncio.run(main())')
    )
    variables = {name: value for name, value in os.environ.items() if name != "RUVON_DB_URL"}
    done = subprocess.run(
        [sys.executable, "-c", "import asyncio, orders; asyncio.run(orders.main())"],
        cwd=tmp_path,
        env={**variables, "DATABASE_URL": database(), "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert done.stdout.strip() == "COMPLETED 500", done.stderr


def test_every_setting_of_the_pool_is_a_variable() -> None:
    """Name, variable and default as in the table; each variable is heeded."""
    rows = re.findall(r"^\| `(POSTGRES_POOL_\w+)` \| `(\w+)` \| (\d+) \|$", PAGE, re.MULTILINE)

    assert [name for _, name, _ in rows] == [field.name for field in fields(PoolSettings)]
    for variable, name, default in rows:
        assert getattr(PoolSettings(), name) == float(default)
        assert getattr(PoolSettings.from_environment({variable: "50"}), name) == 50


@pytest.mark.parametrize(
    ("variables", "says"),
    [
        ({"POSTGRES_POOL_MAX_SIZE": "many"}, "'many', which is no number"),
        ({"POSTGRES_POOL_MAX_SIZE": "0"}, "the least is 1"),
        ({"POSTGRES_POOL_MIN_SIZE": "60"}, "more than POSTGRES_POOL_MAX_SIZE, 50"),
    ],
)
def test_a_setting_out_of_range_is_a_sentence(variables: dict[str, str], says: str) -> None:
    """With the variable's name."""
    with pytest.raises(ValueError, match=says):
        PoolSettings.from_environment(variables)
