"""Help: every command has one, with an example that is a command itself."""

import re
import shlex
from collections.abc import Iterator

import click
import pytest

from tests.cli.conftest import Command


def _commands(command: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    if isinstance(command, click.Group):
        for name, item in command.commands.items():
            yield from _commands(item, (*path, name))
    else:
        yield path, command


def _all() -> list[tuple[tuple[str, ...], click.Command]]:
    from ruvon.cli._app import cli

    return list(_commands(cli))


@pytest.mark.parametrize(
    ("path", "command"), _all(), ids=lambda item: " ".join(item) if isinstance(item, tuple) else ""
)
def test_every_command_has_help_with_an_example(ruvon: Command, path: tuple[str, ...], command: click.Command) -> None:
    """`--help` works and ends with an example of that very command, whose options exist."""
    example = re.search(r"Example: (ruvon .*)", command.help or "")

    assert ruvon(*path, "--help").code == 0
    assert example is not None
    words = shlex.split(example.group(1))
    assert tuple(words[1 : 1 + len(path)]) == path
    known = {name for item in command.params for name in item.opts}
    assert {word for word in words if word.startswith("-")} <= known


@pytest.mark.parametrize(
    ("path", "command"), _all(), ids=lambda item: " ".join(item) if isinstance(item, tuple) else ""
)
def test_every_option_is_explained(path: tuple[str, ...], command: click.Command) -> None:
    """No option is left without a help text."""
    silent = [
        item.opts[0]
        for item in command.params
        if isinstance(item, click.Option) and not item.help and "--format" not in item.opts
    ]

    assert silent == [], path


def test_version(ruvon: Command) -> None:
    """--version names program and version."""
    assert re.match(r"ruvon, version \d", ruvon("--version").out)


@pytest.mark.parametrize("shell_name", ["bash", "zsh", "fish"])
def test_completion_scripts(ruvon: Command, shell_name: str) -> None:
    """The printed line asks click for the script of that shell."""
    assert f"_RUVON_COMPLETE={shell_name}_source ruvon" in ruvon("completion", shell_name).out


def test_the_documented_options_exist() -> None:
    """S3-055: every documented option of every command is there."""
    found = {path[0]: {name for item in command.params for name in item.opts} for path, command in _all()}
    documented = {
        "list": "--status --type --limit --offset --json -v",
        "start": "--data -d --data-file --auto --interactive -i --dry-run --json",
        "show": "--state --logs --metrics -v --json",
        "resume": "--input -i --input-file --auto",
        "retry": "--from-step --auto",
        "cancel": "--force --reason",
        "logs": "--step --level --limit -n --follow -f --json",
        "metrics": "-w --type --summary --limit --json",
        "validate": "--strict --format --json --graph",
        "compile": "-o --format --digest",
        "convert": "--to",
        "graph": "--format",
        "run": "-d",
    }

    missing = {name: set(text.split()) - found[name] for name, text in documented.items()}
    assert not any(missing.values()), missing
