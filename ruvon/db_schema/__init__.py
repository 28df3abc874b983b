"""The tables of the cloud database, declared once: SQLAlchemy Core for the schema, Alembic for its changes.

Nothing here is needed at run time: providers speak SQL. `ruvon.db_schema.database` needs the extra `postgres`.
"""

from ruvon.db_schema._revision import HEAD, MigrationError

__all__ = ["HEAD", "MigrationError", "migration_script"]


def migration_script(found: tuple[str, ...], dialect: str = "postgresql") -> str:
    """The SQL that brings a database with these revisions up to date; "" where nothing is to be done.

    Raises:
        MigrationError: a revision of the database is not known here.
        MissingExtraError: Alembic is not installed.
    """
    from ruvon.db_schema._migrate import script  # noqa: PLC0415  # Alembic loads only where it is needed

    return script(found, dialect)
