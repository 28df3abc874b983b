"""Tasks that are no steps are found behind any backlog of steps, because no limit of a queue holds them back."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_WAITING = sa.text("status = 'pending' AND kind <> 'step'")


def upgrade() -> None:
    """Create what is missing."""
    op.create_index(
        "ix_tasks_wakes",
        "tasks",
        [sa.text("priority DESC"), "available_us"],
        postgresql_where=_WAITING,
        sqlite_where=_WAITING,
        if_not_exists=True,
    )


def downgrade() -> None:
    """Take it away again; they are found more slowly."""
    op.drop_index("ix_tasks_wakes", "tasks", if_exists=True)
