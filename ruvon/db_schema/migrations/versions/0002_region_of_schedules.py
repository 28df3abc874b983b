"""The runs of a schedule are kept in a region.

A SQLite file that a provider has created or brought up to date has the column already.
"""

import sqlalchemy as sa
from alembic import context, op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

TABLE = "workflow_schedules"
COLUMN = "data_region"


def upgrade() -> None:
    """Add the column where it is missing."""
    if not context.is_offline_mode():
        known = {column["name"] for column in sa.inspect(op.get_bind()).get_columns(TABLE)}
        if COLUMN in known:
            return
    op.add_column(TABLE, sa.Column(COLUMN, sa.Text(), nullable=True))


def downgrade() -> None:
    """Forget the regions."""
    with op.batch_alter_table(TABLE) as table:
        table.drop_column(COLUMN)
