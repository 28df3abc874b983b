"""Tasks count the workers that died over them and keep the progress of their bodies; workers tell of themselves.

A SQLite file that a provider has created or upgraded has all of it already.
"""

import sqlalchemy as sa
from alembic import context, op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

TEXT = sa.Text()
NAME = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")
INT = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
BOOL = sa.Boolean().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Create what is missing."""
    if not _has_columns():
        op.add_column("tasks", sa.Column("crashes", INT, nullable=False, server_default=sa.text("0")))
        op.add_column("tasks", sa.Column("progress", sa.LargeBinary(), nullable=True))
    op.drop_index("ix_tasks_claim", "tasks", if_exists=True)
    op.create_index(
        "ix_tasks_pending",
        "tasks",
        [sa.text("priority DESC"), "available_us"],
        postgresql_where=sa.text("status = 'pending'"),
        sqlite_where=sa.text("status = 'pending'"),
        if_not_exists=True,
    )
    op.create_index(
        "ix_tasks_leases",
        "tasks",
        ["lease_us"],
        postgresql_where=sa.text("status = 'claimed'"),
        sqlite_where=sa.text("status = 'claimed'"),
        if_not_exists=True,
    )
    op.create_table(
        "workers",
        sa.Column("worker_id", NAME, primary_key=True),
        sa.Column("host", TEXT, nullable=False),
        sa.Column("pid", INT, nullable=False),
        sa.Column("queues", TEXT, nullable=False),
        sa.Column("concurrency", INT, nullable=False),
        sa.Column("started_us", INT, nullable=False),
        sa.Column("seen_us", INT, nullable=False),
        sa.Column("running", TEXT, nullable=False),
        sa.Column("draining", BOOL, nullable=False),
        if_not_exists=True,
    )


def downgrade() -> None:
    """Take it away again; what workers had claimed stays claimed until the leases run out."""
    op.drop_table("workers")
    op.drop_index("ix_tasks_leases", "tasks")
    op.drop_index("ix_tasks_pending", "tasks")
    with op.batch_alter_table("tasks") as table:
        table.drop_column("progress")
        table.drop_column("crashes")
    op.create_index("ix_tasks_claim", "tasks", ["status", "available_us"])


def _has_columns() -> bool:
    if context.is_offline_mode():
        return False
    found = {column["name"] for column in sa.inspect(op.get_bind()).get_columns("tasks")}
    return "crashes" in found
