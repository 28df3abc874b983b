"""Instances with metadata have an index of their own on SQLite; PostgreSQL has had one from the beginning."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_NAME = "ix_executions_metadata"


def upgrade() -> None:
    """Create what is missing."""
    if op.get_context().dialect.name == "sqlite":
        op.create_index(
            _NAME,
            "workflow_executions",
            ["created_us", "metadata"],
            sqlite_where=sa.text("metadata <> '{}'"),
            if_not_exists=True,
        )


def downgrade() -> None:
    """Take it away again; a search by metadata reads all instances."""
    if op.get_context().dialect.name == "sqlite":
        op.drop_index(_NAME, "workflow_executions", if_exists=True)
