"""Definitions of a server: `ruvon definitions`, and data for the types that they define."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

from ruvon.cli._definitions import require_runnable
from ruvon.cli._input import read_data
from ruvon.cli._output import Exit, fail, print_json, secho
from ruvon.cli._remote.shown import PAGE, maybe
from ruvon.cli._remotely import Place
from ruvon.cli._session import Store
from ruvon.cli._stored import Version, is_stored, the_one
from ruvon.cli._unknown import refuse_unknown
from ruvon.cli._versions import (
    print_definition,
    print_versions,
    refuse_unknown_type,
    tell_differences,
    tell_history,
)
from ruvon.ir import IRError, dump, load
from ruvon_server.client import ProblemError

if TYPE_CHECKING:
    from ruvon.ir import Definition

__all__ = ["chosen", "diff", "history", "initial_data", "list_", "show", "stored", "upload"]

_YAML: Final = frozenset({".yaml", ".yml"})
_FILES: Final = frozenset({".py", ".json"}) | _YAML
_SHORT: Final = 8
_FORBIDDEN: Final = 403
_UPLOADED: Final = "upload.yaml"
"""What a server calls a text that was sent to it."""


def list_(place: Place, *, workflow_type: str | None, as_json: bool) -> None:
    """`ruvon definitions list`: with the types that nothing was started of yet."""
    rows: list[dict[str, Any]] = [
        {
            "type": item.workflow_type,
            "version": item.workflow_version,
            "digest": item.digest,
            "running": item.running,
            "waiting": item.waiting,
            "ended": item.ended,
            "stored_at": maybe(item.stored_at),
        }
        for item in place.client.each_definition(limit=PAGE)
        if workflow_type in {None, item.workflow_type}
    ]
    print_versions(rows, as_json=as_json)


def show(place: Place, reference: str, *, form: str) -> None:
    """`ruvon definitions show`."""
    print_definition(chosen(place, reference, None), form)


def diff(place: Place, old: str, new: str, *, name: str | None, as_json: bool) -> None:
    """`ruvon definitions diff`: of what the server has, and of files here."""
    tell_differences(chosen(place, old, name), chosen(place, new, name), as_json=as_json)


def history(place: Place, workflow_type: str, *, as_json: bool) -> None:
    """`ruvon definitions history`."""
    try:
        rows = place.client.list_definition_versions(workflow_type).items
    except ProblemError as exc:
        if exc.code == "unknown-workflow-type":
            refuse_unknown_type(workflow_type)
        raise
    found = [(stored(place, workflow_type, item.digest), maybe(item.stored_at)) for item in rows]
    tell_history(found, as_json=as_json)


def upload(place: Place, target: str, *, name: str | None, dry_run: bool, as_json: bool) -> None:
    """`ruvon definitions upload`."""
    if Path(target).suffix in _YAML:
        wanted: dict[str, Any] = {"source": Path(target).read_text("utf-8"), "form": "yaml"}
    else:
        wanted = {
            "source": dump(require_runnable(target, place.store or Store(), name).definition).decode(),
            "form": "ir",
        }
    try:
        done = place.client.upload_definition(**wanted, dry_run=dry_run)
    except ProblemError as exc:
        if exc.code != "invalid-definition":
            raise
        mistakes = (f"{_place_in(target, item.place)}: {item.code}: {item.detail}" for item in exc.errors)
        fail("\n  ".join(["the server does not take this definition", *mistakes]))
    if as_json:
        print_json({"dry_run": dry_run, **done.model_dump(mode="json")})
        return
    for finding in done.findings:
        secho(f"{_place_in(target, finding.place)}: {finding.severity} {finding.code}: {finding.message}", fg="yellow")
    for item in done.items:
        what = "could be uploaded" if dry_run else "is current"
        secho(f"{item.workflow_type} {item.workflow_version} ({item.digest[:_SHORT]}) {what}", fg="green")


def _place_in(target: str, place: str | None) -> str:
    """The place of a finding, in the file that was sent."""
    return target + (place or "").removeprefix(_UPLOADED) if not place or place.startswith(_UPLOADED) else place


def initial_data(place: Place, workflow_type: str, data: str | None, data_file: str | None) -> dict[str, Any]:
    """The initial data of a type, from the options of a command; fields that its state does not have end the command.

    Who may not see the definition, or cannot read it because the server is of another version, is not told of such
    fields; that the type is unknown is left to the server to say, which knows those that are spelt alike.
    """
    given = read_data(data, data_file)
    if given is not None and not isinstance(given, dict):
        fail("the initial data is a JSON object", Exit.USAGE)
    initial = cast("dict[str, Any]", given or {})
    if not initial:
        return initial
    try:
        definition = load(place.client.get_definition_document(workflow_type).document)
    except IRError:
        return initial
    except ProblemError as exc:
        if exc.status != _FORBIDDEN and exc.code != "unknown-workflow-type":
            raise
        return initial
    refuse_unknown(definition, definition.state, initial, "the initial data")
    return initial


def stored(place: Place, workflow_type: str, version: str) -> "Definition":
    """The definition that a server has, by its version or its digest."""
    return load(place.client.get_definition_document(workflow_type, version=version).document)


def chosen(place: Place, text: str, name: str | None) -> "Definition":
    """The definition that a text means: one of the server, or one that a file here compiles to."""
    if is_stored(text):
        rows = place.client.each_definition(limit=PAGE)
        known = [Version(item.workflow_type, item.workflow_version, item.digest) for item in rows]
        one = the_one(known, text)
        return stored(place, one.workflow_type, one.digest)
    if Path(text).suffix in _FILES or ":" in text:
        return require_runnable(text, place.store or Store(), name).definition
    return load(place.client.get_definition_document(text).document)
