"""Workers tell their lease, so that whoever looks knows when one looks dead.

A SQLite file that a provider has created or brought up to date has the column already.
"""

import sqlalchemy as sa
from alembic import context, op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

INT = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TABLE = "workers"
COLUMN = "lease_us"


def upgrade() -> None:
    """Add the column where it is missing; a worker that has not told its lease never looks dead."""
    if not context.is_offline_mode():
        known = {column["name"] for column in sa.inspect(op.get_bind()).get_columns(TABLE)}
        if COLUMN in known:
            return
    op.add_column(TABLE, sa.Column(COLUMN, INT, nullable=False, server_default=sa.text("0")))


def downgrade() -> None:
    """Forget the leases."""
    with op.batch_alter_table(TABLE) as table:
        table.drop_column(COLUMN)
