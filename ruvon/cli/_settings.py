"""Where the command line finds its database, its workflows and the code they may use.

In order of weight: the option, the environment variable, the config file, the default. The file is YAML, by default
`~/.ruvon/config.yaml`; `RUVON_CONFIG_PATH` names another.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final, cast

from ruvon.cli._output import Exit, fail

__all__ = ["DEFAULTS", "config_path", "load_settings", "save_settings", "setting"]

DEFAULTS: Final[Mapping[str, str]] = {
    "database": "ruvon.db",
    "execution": "sync",
    "workflows": "workflows",
    "import_roots": ".",
    "durability": "FULL",
    "observers": "",
    "encryption_key_file": "",
}
_ENVIRONMENT: Final[Mapping[str, str]] = {
    "database": "RUVON_DB_URL",
    "execution": "RUVON_EXECUTION",
    "workflows": "RUVON_WORKFLOWS",
    "import_roots": "RUVON_IMPORT_ROOTS",
    "durability": "RUVON_DURABILITY",
    "observers": "RUVON_OBSERVERS",
    "encryption_key_file": "RUVON_ENCRYPTION_KEY_FILE",
}


def config_path() -> Path:
    """The config file, whether it exists or not."""
    named = os.environ.get("RUVON_CONFIG_PATH")
    return Path(named) if named else Path.home() / ".ruvon" / "config.yaml"


def load_settings() -> dict[str, str]:
    """What the config file says; an unreadable file or an unknown key ends the command with a sentence."""
    import yaml  # noqa: PLC0415  # only when there is something to read

    path = config_path()
    if not path.exists():
        return {}
    try:
        found: object = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as exc:
        fail(f"the config file {path} cannot be read: {exc}", Exit.USAGE)
    if found is None:
        return {}
    if not isinstance(found, dict):
        fail(f"the config file {path} is not a mapping; delete it or run `ruvon config reset --yes`", Exit.USAGE)
    settings = {str(key): str(value) for key, value in cast("dict[object, object]", found).items()}
    if unknown := sorted(settings.keys() - DEFAULTS.keys()):
        fail(f"the config file {path} has the unknown key `{unknown[0]}`; known: {', '.join(DEFAULTS)}", Exit.USAGE)
    return settings


def save_settings(settings: Mapping[str, str]) -> Path:
    """Write the config file, whole or not at all."""
    import yaml  # noqa: PLC0415

    path = config_path()
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(path.name + ".new")
    draft.write_text(yaml.safe_dump(dict(settings), sort_keys=True), encoding="utf-8")
    draft.replace(path)
    return path


def setting(name: str, given: str | None = None) -> str:
    """The value of one setting."""
    if given:
        return given
    return os.environ.get(_ENVIRONMENT[name]) or load_settings().get(name) or DEFAULTS[name]
