"""The builder of a server that is given none: store, executor, code and observers as the settings say."""

import os
from collections.abc import Sequence
from pathlib import Path

from ruvon.builder import WorkflowBuilder
from ruvon.implementations.encryption import keys_from_environment
from ruvon.implementations.execution._named import execution_named
from ruvon.implementations.observability.configured import observers_from
from ruvon.implementations.persistence._named import persistence_named
from ruvon.implementations.templating.jinja2 import Jinja2TemplateEngine
from ruvon_server.settings import ServerSettings, ServerSettingsError

__all__ = ["new_builder"]

_PATIENCE_S = 30.0
"""So long a server waits for a database that is away: one that is started again must not end it."""


def new_builder(settings: ServerSettings, observers: Sequence[object] = ()) -> WorkflowBuilder:
    """A builder that is not open yet.

    Args:
        settings: the store, the executor and where workflows are.
        observers: who is told what happens, beside those that `RUVON_OBSERVERS` names.

    Raises:
        ServerSettingsError: the store, the executor or a file of workflows is none.
        DefinitionError: a registry file has mistakes.
    """
    try:
        durability = os.environ.get("RUVON_DURABILITY") or "FULL"
        store = persistence_named(settings.db, durability=durability, patience_s=_PATIENCE_S)
        execution = execution_named(settings.execution)
    except ValueError as exc:
        raise ServerSettingsError(str(exc)) from None
    builder = WorkflowBuilder(
        persistence_provider=store,
        execution_provider=execution,
        observers=[*observers, *observers_from(os.environ.get("RUVON_OBSERVERS", ""))],
        import_roots=settings.import_roots,
        secrets=_secret,
        template_engine=Jinja2TemplateEngine(),
        encryption=keys_from_environment(),
    )
    for place in settings.workflows:
        if not Path(place).exists():
            raise ServerSettingsError(f"there is no file and no folder {place}")
        builder.register(place)
    return builder


def _secret(name: str) -> object:
    """`secret("NAME")` is the environment variable NAME."""
    if name not in os.environ:
        raise LookupError(f"secret({name!r}) has no value: set the environment variable {name}")
    return os.environ[name]
