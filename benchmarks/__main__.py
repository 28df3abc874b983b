"""Run every benchmark, print the tables, and leave them as JSON and as Markdown with plots in `benchmarks/results`.

python -m benchmarks [NAME ...]
"""

import os
import platform
import re
import sys
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path

import orjson

from benchmarks.plot import svg
from benchmarks.table import Table

NAMES = (
    "values",
    "expressions",
    "frontends",
    "engine",
    "observers",
    "persistence",
    "footprint",
    "durable",
    "postgres",
    "tasks",
    "queue_peers",
    "celery_path",
    "memory",
    "encryption",
    "recovery",
    "server",
    "streams",
)
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
        "memory": f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB",
        "load": os.getloadavg()[0],
    }
    RESULTS.mkdir(exist_ok=True)
    tree = {"machine": machine, "tables": [table.tree() for table in tables]}
    (RESULTS / "latest.json").write_bytes(orjson.dumps(tree, option=orjson.OPT_INDENT_2))
    head = "# Benchmarks\n\n" + "".join(f"- {name}: {value}\n" for name, value in machine.items())
    sections = [head]
    for table in tables:
        sections.append(table.markdown())
        if table.rows:
            name = f"latest.{re.sub('[^a-z0-9]+', '-', table.title.lower()).strip('-')}.svg"
            (RESULTS / name).write_text(svg(table), encoding="utf-8")
            sections.append(f"![{table.title}]({name})\n")
    (RESULTS / "latest.md").write_text("\n".join(sections), encoding="utf-8")
    print(f"\nwritten: {RESULTS / 'latest.json'}, {RESULTS / 'latest.md'}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
