"""Data that a command is given: JSON on the command line, from a file, or from standard input."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

from ruvon.cli._options import option
from ruvon.cli._output import Exit, fail

__all__ = ["data_options", "read_data"]

F = TypeVar("F", bound=Callable[..., Any])

_LONGEST_NAME: Final = 250


def data_options(name: str, short: str, what: str) -> Callable[[F], F]:
    """The two options of a command that takes data: the text (`data`) and the file (`data_file`)."""

    def add(command: F) -> F:
        text = option(f"--{name}", short, "data", metavar="JSON|@FILE", help=f"{what}; @- reads standard input.")
        file = option(f"--{name}-file", "data_file", metavar="FILE", help=f"{what}, from a JSON or YAML file.")
        return text(file(command))

    return add


def read_data(data: str | None, data_file: str | None, option: str = "-d", *, what: str | None = None) -> object:
    """The data, or None where none is given; what cannot be read ends the command.

    Args:
        data: the text of the option.
        data_file: the file of the other option.
        option: the option, or the command up to the data where they are an argument; for messages.
        what: what the data are, for messages; None says the option.
    """
    if data is not None and data_file is not None:
        fail("the data is given twice, on the command line and as a file; give one", Exit.USAGE)
    if data == "@-":
        return _parse(sys.stdin.read(), "standard input")
    name = data[1:] if data is not None and data.startswith("@") else data_file
    if name is None:
        return None if data is None else _parse_text(data, option, what or option)
    path = Path(name)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, ValueError) as exc:
        reason = exc.strerror if isinstance(exc, OSError) else "it is no text in UTF-8"
        fail(f"{path} cannot be read: {reason}", Exit.USAGE)
    return _parse_yaml(text, path) if path.suffix in {".yaml", ".yml"} else _parse(text, str(path))


def _parse_text(text: str, option: str, what: str) -> object:
    """The JSON of an option; a file's name in its place is told apart."""
    if Path(text).suffix in {".json", ".yaml", ".yml"} or (len(text) < _LONGEST_NAME and Path(text).is_file()):
        fail(f"`{text}` is the name of a file; write `{option} @{text}` to read it", Exit.USAGE)
    return _parse(text, what, f"""; write it like {option} '{{"name": "value"}}', or {option} @FILE""")


def _parse(text: str, where: str, hint: str = "") -> object:
    import orjson  # noqa: PLC0415

    try:
        found: object = orjson.loads(text)
    except orjson.JSONDecodeError as exc:
        problem = "it is no text in UTF-8" if "surrogates" in str(exc) else str(exc)
        fail(f"{where} is no JSON: {problem}{hint}", Exit.USAGE)
    return found


def _parse_yaml(text: str, path: Path) -> object:
    import yaml  # noqa: PLC0415

    try:
        found: object = yaml.safe_load(text)
    except yaml.MarkedYAMLError as exc:
        mark = exc.problem_mark
        place = f"line {mark.line + 1}, column {mark.column + 1}: " if mark is not None else ""
        fail(f"{path} is no YAML: {place}{exc.problem}", Exit.USAGE)
    except yaml.YAMLError as exc:
        fail(f"{path} is no YAML: {' '.join(str(exc).split())}", Exit.USAGE)
    except ValueError as exc:  # a date that is none, a number with too many digits
        fail(f"{path} has a value that cannot be read: {exc}", Exit.USAGE)
    except RecursionError:
        fail(f"{path} is nested too deep to be read", Exit.USAGE)
    return found
