"""`ruvon plugins`: what is installed beside Ruvon, and what it brings."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Final

import rich_click as click

from ruvon.cli._options import option
from ruvon.cli._output import Exit, print_json, secho
from ruvon.cli._targets import import_roots

if TYPE_CHECKING:
    from ruvon.builder import PluginContents

__all__ = ["plugins"]

_PARTS: Final = (
    ("workflows", "workflows"),
    ("steps", "steps"),
    ("step types", "step_types"),
    ("functions", "functions"),
    ("observers", "observers"),
)


@click.command()
@option("--json", "as_json", is_flag=True, help="Print JSON.")
def plugins(*, as_json: bool) -> None:
    """List installed plugins with their versions and what they bring; exit code 1 where one cannot be used.

    Example: ruvon plugins --json
    """
    from ruvon.builder import WorkflowBuilder  # noqa: PLC0415  # the engine loads only when a command needs it

    builder = WorkflowBuilder(import_roots=import_roots())
    found = builder.plugin_contents()
    if as_json:
        broken = [{"entry_point": name, "reason": reason} for name, reason in builder.broken_plugins.items()]
        print_json({"plugins": [asdict(item) for item in found], "broken": broken})
    else:
        _print(found, builder.broken_plugins)
    if builder.broken_plugins or any(item.problems for item in found):
        raise SystemExit(int(Exit.FAILURE))


def _print(found: "list[PluginContents]", broken: Mapping[str, str]) -> None:
    if not found and not broken:
        secho("no plugin is installed")  # those that are left out were named when they were looked for
    for item in found:
        secho(f"{item.name} {item.version}", bold=True)
        if item.description:
            secho(f"  {item.description}")
        for title, field in _PARTS:
            names: tuple[str, ...] = getattr(item, field)
            if names:
                secho(f"  {title:12}{', '.join(names)}")
        for problem in item.problems:
            secho(f"  cannot be used: {problem}", fg="red")
