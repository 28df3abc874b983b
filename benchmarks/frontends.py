"""The front ends and start-up times: validate, compile, cached reload, `import ruvon`, `ruvon --help`.

Each figure stands beside the bare work that cannot be avoided (reading the files, starting Python, parsing the text), so
that the ratio means the same on any machine.
"""

import os
import tempfile
from pathlib import Path

import libcst

from benchmarks.table import Row, Table, milliseconds, process_milliseconds, show

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


def compile_rows(folder: Path) -> list[Row]:
    """Both front ends, without the cache and with it."""
    from ruvon.ir import ImportRoots
    from ruvon_dsl import compile_file, require
    from ruvon_dsl._cache import forget

    roots = ImportRoots({"benchmarks"})
    files = yaml_files(folder)
    module = folder / "long_module.py"
    module.write_text(python_module())
    for file in (files[0], module):
        require(compile_file(file, roots=roots))  # a text with findings would be measured for something else
    read = milliseconds(lambda: [file.read_text() for file in files])
    checked = milliseconds(lambda: [compile_file(file, roots=roots, cache=False) for file in files], 3)
    parse = milliseconds(lambda: libcst.parse_module(module.read_text()))
    compiled = milliseconds(lambda: compile_file(module, roots=roots, cache=False))
    cached = milliseconds(lambda: compile_file(module, roots=roots), 20)

    def read_again() -> object:
        forget()
        return compile_file(module, roots=roots)

    reread = milliseconds(read_again, 20)
    return [
        Row("validate 100 YAML files of 20 steps, no cache", checked, "ms", "read the files", read, limit=1000),
        Row("compile a 200-line module", compiled, "ms", "libcst parse", parse, limit=150),
        Row("the same, cached in the process", cached, "ms", "libcst parse", parse, limit=5),
        Row("the same, cached on the disk", reread, "ms", "libcst parse", parse, limit=5),
    ]


def start_rows(folder: Path) -> list[Row]:
    """Fresh interpreters, with bytecode as an installed package has it."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environment |= {"PYTHONPYCACHEPREFIX": str(folder / "bytecode"), "PYTHONPATH": str(Path(__file__).parent.parent)}
    bare = process_milliseconds(["-c", "pass"], environment)
    pydantic = process_milliseconds(["-c", "from pydantic import BaseModel"], environment)
    imported = process_milliseconds(["-c", "import ruvon"], environment)
    helped = process_milliseconds(["-c", "from ruvon.cli import main; main()", "--help"], environment)
    return [
        Row("import pydantic.BaseModel (the floor)", pydantic - bare, "ms", "python -c pass", bare),
        Row("import ruvon", imported - bare, "ms", "python -c pass", bare, limit=150),
        Row("ruvon --help", helped, "ms", "python -c pass", bare, limit=300),
    ]


def main() -> Table:
    """Measure everything and print the table."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ["RUVON_CACHE_DIR"] = str(folder / "cache")
        return show("Front ends and start-up", [*compile_rows(folder), *start_rows(folder)])


if __name__ == "__main__":
    main()
