"""The newest revision of the schema, known without Alembic: a store that has it needs no migration."""

from typing import Final

__all__ = ["HEAD", "MigrationError"]

HEAD: Final = "0008"


class MigrationError(RuntimeError):
    """The migrations cannot be run; nothing was changed."""
