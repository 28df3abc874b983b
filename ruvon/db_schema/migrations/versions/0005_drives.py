"""Holds leave a mark, so that the next holder knows of a process that died."""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_CREATE = """
CREATE UNLOGGED TABLE IF NOT EXISTS workflow_drives (
    workflow_key BIGINT PRIMARY KEY, token BYTEA NOT NULL, deaths BIGINT NOT NULL
)"""


def upgrade() -> None:
    """Create what is missing; a SQLite file has its lock file for it."""
    if op.get_context().dialect.name == "postgresql":
        op.execute(_CREATE)


def downgrade() -> None:
    """Take it away again; then no death is noticed."""
    op.execute("DROP TABLE IF EXISTS workflow_drives")
