"""The registry file: which workflows a builder offers, and where their files are."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import final

from ruvon.cron import InvalidCronError, InvalidScheduleError, Plan
from ruvon.ir._diagnostics import Diagnostic, Related
from ruvon.ir._spans import Span
from ruvon_dsl._draft import SourceText
from ruvon_dsl._link._codes import BAD_CRON
from ruvon_dsl.yaml import _codes as codes
from ruvon_dsl.yaml._check import Fields, check_fields
from ruvon_dsl.yaml._context import environment_of
from ruvon_dsl.yaml._findings import Findings
from ruvon_dsl.yaml._keys_header import REGISTRY, REGISTRY_ENTRY
from ruvon_dsl.yaml._reader import read
from ruvon_dsl.yaml._substitute import Substitution
from ruvon_dsl.yaml._values import MappingNode, SequenceNode, YamlNode, kind_of

__all__ = ["Registry", "RegistryEntry", "load_registry"]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryEntry:
    """One workflow of the registry; nothing of this is part of the definition."""

    type: str
    """The workflow's type; must be the file's `workflow_type`."""
    config_file: str
    """The workflow file, relative to the registry's folder."""
    description: str | None = None
    initial_state_model: str | None = None
    requires: tuple[str, ...] = ()
    """Packages that must be installed for the workflow to be offered."""
    schedule: str | None = None
    """Cron expression of a recurring start."""
    timezone: str | None = None
    overlap: str | None = None
    catch_up: int | None = None
    retention_us: int | None = None
    """How long ended runs are kept."""
    enabled: bool = True
    span: Span | None = None
    spans: Mapping[str, Span] = field(default_factory=lambda: MappingProxyType({}), compare=False, repr=False)
    """Where each key's value stands."""


@final
@dataclass(frozen=True, slots=True)
class Registry:
    """A registry file; `diagnostics` holds what was found."""

    entries: tuple[RegistryEntry, ...]
    diagnostics: tuple[Diagnostic, ...] = ()

    def get(self, workflow_type: str) -> RegistryEntry | None:
        """The entry of a type."""
        return next((entry for entry in self.entries if entry.type == workflow_type), None)


def load_registry(source: SourceText, *, environment: Mapping[str, str] | None = None) -> Registry:
    """Read a registry file (`workflow_registry.yaml`).

    Args:
        source: The file's name and text.
        environment: The variables for `${NAME}`; the process's environment where it is None.

    Returns:
        The entries that could be read, and every finding. Nothing is raised for any text.
    """
    documents, problems = read(source)
    found = Findings()
    found.extend(problems)
    if len(documents) != 1:
        if not problems:
            found.error(
                codes.NOT_A_WORKFLOW,
                "a registry file is one document",
                Span.at(source.file, 1, 1),
                "write `workflows:` and its entries",
            )
        return Registry((), found.ordered())
    document = Substitution(environment_of(environment), {}, {}, found).apply(documents[0])
    if not isinstance(document, MappingNode):
        found.error(
            codes.NOT_A_WORKFLOW, f"a registry is a mapping with `workflows`, not {kind_of(document)}", document.span
        )
        return Registry((), found.ordered())
    node = check_fields(document, REGISTRY, found).node("workflows")
    items = node.items if isinstance(node, SequenceNode) else ()
    entries = _entries(items, found)
    return Registry(entries, found.ordered())


def _entries(items: tuple[YamlNode, ...], found: Findings) -> tuple[RegistryEntry, ...]:
    entries: dict[str, RegistryEntry] = {}
    for item in items:
        entry = _entry(item, found)
        if entry is None or entry.span is None:
            continue
        first = entries.get(entry.type)
        if first is not None and first.span is not None:
            related = (Related(first.span, "the first one"),)
            found.error(
                codes.DUPLICATE_NAME,
                f"`{entry.type}` is registered twice",
                entry.span,
                "keep one of them",
                related=related,
            )
        entries.setdefault(entry.type, entry)
    return tuple(entries.values())


def _entry(node: YamlNode, found: Findings) -> RegistryEntry | None:
    if not isinstance(node, MappingNode):
        found.error(codes.WRONG_KIND, f"a registry entry is a mapping, not {kind_of(node)}", node.span)
        return None
    fields = check_fields(node, REGISTRY_ENTRY, found)
    name, file = fields.text("type"), fields.text("config_file")
    if name is None or file is None:
        return None
    _check_moments(fields, found)
    enabled = fields.flag("enabled")
    return RegistryEntry(
        type=name,
        config_file=file,
        description=fields.text("description"),
        initial_state_model=fields.text("initial_state_model"),
        requires=tuple(text.text for text in fields.texts("requires")),
        schedule=fields.text("schedule"),
        timezone=fields.text("timezone"),
        overlap=fields.choice("overlap"),
        catch_up=fields.count("catch_up"),
        retention_us=fields.duration("retention"),
        enabled=True if enabled is None else enabled,
        span=fields.span_of("type"),
        spans=MappingProxyType({key: entry.value.span for key, entry in fields.entries.items()}),
    )


def _check_moments(fields: Fields, found: Findings) -> None:
    """Report a schedule that no moment follows from."""
    try:
        Plan(fields.text("schedule") or "* * * * *", fields.text("timezone") or "UTC")
    except InvalidScheduleError as exc:
        message, _, remedy = str(exc).partition("; ")
        key = "schedule" if isinstance(exc, InvalidCronError) else "timezone"
        found.error(BAD_CRON, message, fields.span_of(key), remedy)
