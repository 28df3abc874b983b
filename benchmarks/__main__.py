"""Run every benchmark, print the tables, and leave them as JSON and Markdown in `benchmarks/results`.

python -m benchmarks [NAME ...]
"""

import os
import platform
import sys
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path

import orjson

from benchmarks.table import Table

NAMES = ("values", "expressions", "frontends", "engine", "observers", "persistence", "footprint", "durable", "queue")
RESULTS = Path(__file__).parent / "results"


def main(names: list[str]) -> int:
    """Run the named files, or all of them; the exit code is 1 where a promise was missed."""
    unknown = sorted(set(names) - set(NAMES))
    if unknown:
        print(f"there is no benchmark {', '.join(unknown)}; there are {', '.join(NAMES)}", file=sys.stderr)
        return 2
    tables: list[Table] = [import_module(f"benchmarks.{name}").main() for name in names or NAMES]
    write(tables)
    missed = [row.name for table in tables for row in table.rows if not row.kept]
    if missed:
        print(f"\nmissed: {', '.join(missed)}")
    return 1 if missed else 0


def write(tables: list[Table]) -> None:
    """Both reports."""
    machine = {
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "cores": os.cpu_count(),
        "load": os.getloadavg()[0],
    }
    RESULTS.mkdir(exist_ok=True)
    tree = {"machine": machine, "tables": [table.tree() for table in tables]}
    (RESULTS / "latest.json").write_bytes(orjson.dumps(tree, option=orjson.OPT_INDENT_2))
    head = "# Benchmarks\n\n" + "".join(f"- {name}: {value}\n" for name, value in machine.items())
    (RESULTS / "latest.md").write_text("\n".join([head, *(table.markdown() for table in tables)]), encoding="utf-8")
    print(f"\nwritten: {RESULTS / 'latest.json'}, {RESULTS / 'latest.md'}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
