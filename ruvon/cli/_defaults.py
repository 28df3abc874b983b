"""`ruvon defaults`: the one table of what both forms take where a text says nothing."""

from typing import cast

import rich_click as click

from ruvon.cli._default_values import form_defaults, in_words, retry_defaults
from ruvon.cli._options import option
from ruvon.cli._output import print_json, print_table, secho

__all__ = ["defaults"]


@click.command()
@option("--json", "as_json", is_flag=True, help="Print JSON.")
def defaults(*, as_json: bool) -> None:
    """Print what Python and YAML take where a definition says nothing; the graph always holds the value.

    Example: ruvon defaults --json
    """
    found, retry = form_defaults(), retry_defaults()
    if as_json:
        options = [
            {"what": item.what, "said": item.said, "none": item.none or None, "python": item.python, "yaml": item.yaml}
            for item in found
        ]
        print_json({"options": options, "retry": retry})
        return
    rows = [
        {"what": item.what, "python": in_words(item.python), "yaml": in_words(item.yaml), "said": ", ".join(item.said)}
        for item in found
    ]
    print_table(rows, ("what", "python", "yaml", "said"))
    secho("\na retry policy that names nothing else", bold=True)
    for name, value in retry.items():
        shown = (
            ", ".join(map(str, cast("list[object]", value))) or "none" if isinstance(value, list) else in_words(value)
        )
        click.echo(f"  {name:14}{shown}")
