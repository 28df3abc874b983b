"""The front ends and start-up times: validate, compile, cached reload, `import ruvon`, `ruvon --help`.

Each figure stands beside the bare work that cannot be avoided (reading the files, starting Python, parsing the text), so
that the ratio means the same on any machine.
"""

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import libcst

from benchmarks.table import Row, show

STEPS = 20
FILES = 100

YAML_HEAD = """workflow_type: Flow{number}
workflow_version: "1.0.0"
module: benchmarks.frontend_steps
initial_state_model: Order
automate_next: true
steps:
"""
YAML_STEP = """  - name: Step_{step}
    function: value_step
    inputs: {{amount: =state.amount, text: "step {step} of {{{{ state.name }}}}"}}
    output: out_{step}
  - name: Route_{step}
    type: DECISION
    routes:
      - condition: out_{step} > 10 and not state.vip
        steps: [{{set: {{state.amount: "=state.amount + {step}"}}}}]
"""


def yaml_files(folder: Path) -> list[Path]:
    """A hundred files of twenty steps."""
    files: list[Path] = []
    for number in range(FILES):
        text = YAML_HEAD.format(number=number) + "".join(YAML_STEP.format(step=step) for step in range(STEPS // 2))
        file = folder / f"flow_{number}.yaml"
        file.write_text(text)
        files.append(file)
    return files


def python_module() -> str:
    """A module of two hundred lines with one workflow."""
    lines = [
        '"""Two hundred lines."""',
        "from benchmarks.frontend_steps import Order, state_step, value_step",
        "from ruvon import gather, workflow",
        "",
        '@workflow("Long", version="1")',
        "async def long(state: Order) -> int:",
        "    total = 0",
    ]
    number = 0
    while len(lines) < 195:
        number += 1
        lines += [
            f"    out_{number} = await value_step(state.amount, text='x')",
            f"    if out_{number} > 10 and not state.vip:",
            f"        state.amount = state.amount + {number}",
            "        await state_step(state)",
            "    else:",
            f"        total = total + out_{number}",
        ]
    return "\n".join([*lines, "    return total", ""])


def timed(work: Callable[[], object], repeat: int = 5) -> float:
    """The shortest of several runs, in milliseconds; the first one warms up and does not count."""
    work()
    best = float("inf")
    for _ in range(repeat):
        start = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - start)
    return best * 1000


def python(code: str) -> Callable[[], object]:
    """A fresh interpreter that runs `code`."""
    return lambda: subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


def main() -> list[Row]:
    """Measure everything and print the table."""
    from ruvon_dsl import compile_file

    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files = yaml_files(folder)
        read = timed(lambda: [file.read_text() for file in files])
        work = timed(lambda: [compile_file(file, cache=False) for file in files], repeat=3)
        rows.append(Row("validate 100 YAML files of 20 steps, no cache", work, "ms", "read the files", read, limit=1000))

        module = folder / "long_module.py"
        module.write_text(python_module())
        parse = timed(lambda: libcst.parse_module(module.read_text()))
        work = timed(lambda: compile_file(module, cache=False))
        rows.append(Row("compile a 200-line module", work, "ms", "libcst parse", parse, limit=150))
        work = timed(lambda: compile_file(module))
        rows.append(Row("the same from the cache", work, "ms", "libcst parse", parse, limit=5))

    bare = timed(python("pass"))
    rows.append(Row("import ruvon", timed(python("import ruvon")) - bare, "ms", "python -c pass", bare, limit=150))
    work = timed(python("import sys; sys.argv=['ruvon','--help']; from ruvon.cli import main; main()"))
    rows.append(Row("ruvon --help", work, "ms", "python -c pass", bare, limit=300))
    show("Front ends and start-up", rows)
    return rows


if __name__ == "__main__":
    main()
