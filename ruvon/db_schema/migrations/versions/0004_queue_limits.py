"""Queues have limits, and tasks a key that some of them count by.

A SQLite file that a provider has created or upgraded has all of it already.
"""

import sqlalchemy as sa
from alembic import context, op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

TEXT = sa.Text()
NAME = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")
INT = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Create what is missing."""
    if not _has_column():
        op.add_column("tasks", sa.Column("concurrency_key", NAME, nullable=True))
    op.create_table(
        "queue_limits",
        sa.Column("queue", NAME, primary_key=True),
        sa.Column("concurrency", INT, nullable=True),
        sa.Column("per_key", INT, nullable=True),
        sa.Column("rate", INT, nullable=True),
        sa.Column("period_us", INT, nullable=False),
        sa.Column("starts", TEXT, nullable=False),
        if_not_exists=True,
    )


def downgrade() -> None:
    """Take it away again; every queue is open then."""
    op.drop_table("queue_limits")
    with op.batch_alter_table("tasks") as table:
        table.drop_column("concurrency_key")


def _has_column() -> bool:
    if context.is_offline_mode():
        return False
    found = {column["name"] for column in sa.inspect(op.get_bind()).get_columns("tasks")}
    return "concurrency_key" in found
