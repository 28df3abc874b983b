"""The first schema: every table of version 0.1.

A SQLite file that a provider has created has these tables already; it lacks only the column `state`.
"""

from typing import Any

import sqlalchemy as sa
from alembic import context, op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

TEXT = sa.Text()
NAME = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")
INT = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
BOOL = sa.Boolean().with_variant(sa.Integer(), "sqlite")
REAL = sa.Double[float]().with_variant(sa.REAL(), "sqlite")
JSON = sa.Text().with_variant(postgresql.JSONB(), "postgresql")
BYTES = sa.LargeBinary()


def upgrade() -> None:
    """Create what is missing."""
    for create in CREATED.values():
        create()
    if not _on_postgres() and not context.is_offline_mode():
        columns = {column["name"] for column in sa.inspect(op.get_bind()).get_columns("workflow_executions")}
        if "state" not in columns:
            with op.batch_alter_table("workflow_executions") as table:
                table.add_column(sa.Column("state", JSON, nullable=True))


def downgrade() -> None:
    """Drop every table with what is in it."""
    for name in reversed(CREATED):
        op.drop_table(name)


def _on_postgres() -> bool:
    return op.get_context().dialect.name == "postgresql"


def _where(condition: str) -> dict[str, Any]:
    return {"postgresql_where": sa.text(condition), "sqlite_where": sa.text(condition)}


def _tasks() -> None:
    op.create_table(
        "tasks",
        sa.Column("task_id", NAME, nullable=False),
        sa.Column("workflow_id", NAME, nullable=False),
        sa.Column("kind", TEXT, nullable=False),
        sa.Column("activation", TEXT, nullable=False),
        sa.Column("queue", NAME, nullable=False),
        sa.Column("available_us", INT, nullable=False),
        sa.Column("priority", INT, nullable=False),
        sa.Column("payload", BYTES, nullable=False),
        sa.Column("attempt", INT, nullable=False),
        sa.Column("status", NAME, nullable=False),
        sa.Column("worker_id", NAME, nullable=True),
        sa.Column("lease_epoch", INT, nullable=False),
        sa.Column("lease_us", INT, nullable=False),
        sa.PrimaryKeyConstraint("task_id", name="pk_tasks"),
        if_not_exists=True,
    )
    op.create_index("ix_tasks_claim", "tasks", ["status", "available_us"], if_not_exists=True)
    op.create_index("ix_tasks_workflow", "tasks", ["workflow_id"], if_not_exists=True)


def _workflow_audit_log() -> None:
    op.create_table(
        "workflow_audit_log",
        sa.Column("id", INT, sa.Identity(), nullable=False),
        sa.Column("workflow_key", INT, nullable=False),
        sa.Column("seq", INT, nullable=False),
        sa.Column("prev", INT, nullable=True),
        sa.Column("kind", TEXT, nullable=False),
        sa.Column("node", TEXT, nullable=False),
        sa.Column("activation", TEXT, nullable=False),
        sa.Column("at_us", INT, nullable=False),
        sa.Column("attempt", INT, nullable=False),
        sa.Column("delta", BYTES, nullable=False),
        sa.Column("result", BYTES, nullable=True),
        sa.Column("saga", BYTES, nullable=True),
        sa.Column("error", BYTES, nullable=True),
        sa.Column("note", TEXT, nullable=False),
        sa.Column("position", BYTES, nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_workflow_audit_log"),
        if_not_exists=True,
    )


def _workflow_definitions() -> None:
    op.create_table(
        "workflow_definitions",
        sa.Column("digest", BYTES, nullable=False),
        sa.Column("workflow_type", NAME, nullable=False),
        sa.Column("workflow_version", NAME, nullable=False),
        sa.Column("text", BYTES, nullable=False),
        sa.Column("stored_us", INT, server_default=sa.text("0"), nullable=False),
        sa.PrimaryKeyConstraint("digest", name="pk_workflow_definitions"),
        if_not_exists=True,
    )


def _workflow_documents() -> None:
    op.create_table(
        "workflow_documents",
        sa.Column("id", NAME, nullable=False),
        sa.Column("data", TEXT, nullable=False),
        sa.Column("status", NAME, nullable=True),
        sa.Column("workflow_type", NAME, nullable=True),
        sa.Column("owner_id", NAME, nullable=True),
        sa.Column("created_us", INT, nullable=False),
        sa.Column("updated_us", INT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_workflow_documents"),
        if_not_exists=True,
    )


def _workflow_execution_logs() -> None:
    op.create_table(
        "workflow_execution_logs",
        sa.Column("id", INT, sa.Identity(), nullable=False),
        sa.Column("workflow_id", NAME, nullable=False),
        sa.Column("step_name", TEXT, nullable=True),
        sa.Column("level", NAME, nullable=False),
        sa.Column("message", TEXT, nullable=False),
        sa.Column("metadata", TEXT, nullable=False),
        sa.Column("at_us", INT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_workflow_execution_logs"),
        if_not_exists=True,
    )
    op.create_index("ix_execution_logs_workflow", "workflow_execution_logs", ["workflow_id"], if_not_exists=True)


def _workflow_executions() -> None:
    op.create_table(
        "workflow_executions",
        sa.Column("key", INT, sa.Identity(), nullable=False),
        sa.Column("id", NAME, nullable=False),
        sa.Column("workflow_type", NAME, nullable=False),
        sa.Column("workflow_version", NAME, nullable=False),
        sa.Column("digest", BYTES, nullable=False),
        sa.Column("status", NAME, nullable=False),
        sa.Column("revision", INT, nullable=False),
        sa.Column("transition_id", BYTES, nullable=False),
        sa.Column("position", BYTES, nullable=False),
        sa.Column("last_seq", INT, nullable=False),
        sa.Column("log_head", INT, nullable=True),
        sa.Column("current_step", TEXT, nullable=True),
        sa.Column("waiting_for", BYTES, nullable=True),
        sa.Column("due_us", INT, nullable=True),
        sa.Column("result", BYTES, nullable=True),
        sa.Column("error", BYTES, nullable=True),
        sa.Column("saga_enabled", BOOL, server_default=sa.false(), nullable=False),
        sa.Column("owner_id", NAME, nullable=True),
        sa.Column("org_id", NAME, nullable=True),
        sa.Column("data_region", TEXT, nullable=True),
        sa.Column("priority", INT, server_default=sa.text("0"), nullable=False),
        sa.Column("idempotency_key", NAME, nullable=True),
        sa.Column("metadata", JSON, server_default=sa.text("'{}'"), nullable=False),
        sa.Column("parent_id", NAME, nullable=True),
        sa.Column("parent_activation", TEXT, nullable=True),
        sa.Column("scheduled_for_us", INT, nullable=True),
        sa.Column("created_us", INT, nullable=False),
        sa.Column("updated_us", INT, nullable=False),
        sa.Column("snapshot_head", INT, nullable=True),
        sa.Column("state", JSON, nullable=True),
        sa.PrimaryKeyConstraint("key", name="pk_workflow_executions"),
        sa.UniqueConstraint("id", name="uq_workflow_executions_id"),
        postgresql_with={"fillfactor": 70},
        if_not_exists=True,
    )
    _index_executions()


def _index_executions() -> None:
    if _on_postgres():
        op.create_index("ix_executions_created", "workflow_executions", ["created_us", "key"], if_not_exists=True)
    op.create_index(
        "ix_executions_due", "workflow_executions", ["due_us"], **_where("due_us IS NOT NULL"), if_not_exists=True
    )
    op.create_index(
        "ix_executions_idempotency",
        "workflow_executions",
        ["idempotency_key"],
        unique=True,
        **_where("idempotency_key IS NOT NULL"),
        if_not_exists=True,
    )
    if _on_postgres():
        op.create_index(
            "ix_executions_metadata",
            "workflow_executions",
            ["metadata"],
            postgresql_using="gin",
            postgresql_ops={"metadata": "jsonb_path_ops"},
            if_not_exists=True,
        )
    op.create_index(
        "ix_executions_owner",
        "workflow_executions",
        ["owner_id", "status", "created_us", "workflow_type"],
        **_where("owner_id IS NOT NULL"),
        if_not_exists=True,
    )
    op.create_index(
        "ix_executions_parent",
        "workflow_executions",
        ["parent_id"],
        **_where("parent_id IS NOT NULL"),
        if_not_exists=True,
    )
    op.create_index(
        "ix_executions_status", "workflow_executions", ["status", "created_us", "org_id"], if_not_exists=True
    )
    op.create_index(
        "ix_executions_type",
        "workflow_executions",
        ["workflow_type", "status", "created_us", "digest"],
        if_not_exists=True,
    )


def _workflow_heartbeats() -> None:
    op.create_table(
        "workflow_heartbeats",
        sa.Column("workflow_id", NAME, nullable=False),
        sa.Column("worker_id", NAME, nullable=False),
        sa.Column("current_step", TEXT, nullable=True),
        sa.Column("step_started_us", INT, nullable=False),
        sa.Column("heartbeat_us", INT, nullable=False),
        sa.Column("metadata", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("workflow_id", name="pk_workflow_heartbeats"),
        if_not_exists=True,
    )


def _workflow_inbox() -> None:
    op.create_table(
        "workflow_inbox",
        sa.Column("seq", INT, sa.Identity(), nullable=False),
        sa.Column("workflow_id", NAME, nullable=False),
        sa.Column("kind", TEXT, nullable=False),
        sa.Column("name", TEXT, nullable=False),
        sa.Column("key", TEXT, nullable=True),
        sa.Column("payload", BYTES, nullable=False),
        sa.Column("dedup", NAME, nullable=True),
        sa.Column("at_us", INT, nullable=False),
        sa.PrimaryKeyConstraint("seq", name="pk_workflow_inbox"),
        sqlite_autoincrement=True,
        if_not_exists=True,
    )
    op.create_index("ix_inbox_workflow", "workflow_inbox", ["workflow_id"], if_not_exists=True)


def _workflow_inbox_seen() -> None:
    op.create_table(
        "workflow_inbox_seen",
        sa.Column("workflow_id", NAME, nullable=False),
        sa.Column("dedup", NAME, nullable=False),
        sa.PrimaryKeyConstraint("workflow_id", "dedup", name="pk_workflow_inbox_seen"),
        sqlite_with_rowid=False,
        if_not_exists=True,
    )


def _workflow_metrics() -> None:
    op.create_table(
        "workflow_metrics",
        sa.Column("id", INT, sa.Identity(), nullable=False),
        sa.Column("workflow_id", NAME, nullable=False),
        sa.Column("step_name", NAME, nullable=True),
        sa.Column("name", NAME, nullable=False),
        sa.Column("value", REAL, nullable=False),
        sa.Column("metadata", TEXT, nullable=False),
        sa.Column("at_us", INT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_workflow_metrics"),
        if_not_exists=True,
    )
    op.create_index("ix_metrics_workflow", "workflow_metrics", ["workflow_id"], if_not_exists=True)


def _workflow_outbox() -> None:
    op.create_table(
        "workflow_outbox",
        sa.Column("id", INT, sa.Identity(), nullable=False),
        sa.Column("topic", TEXT, nullable=False),
        sa.Column("payload", BYTES, nullable=False),
        sa.Column("at_us", INT, nullable=False),
        sa.Column("workflow_id", NAME, nullable=True),
        sa.Column("key", TEXT, server_default=sa.text("''"), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_workflow_outbox"),
        sqlite_autoincrement=True,
        if_not_exists=True,
    )


def _workflow_schedules() -> None:
    op.create_table(
        "workflow_schedules",
        sa.Column("schedule_id", NAME, nullable=False),
        sa.Column("workflow_type", NAME, nullable=False),
        sa.Column("cron", TEXT, nullable=False),
        sa.Column("timezone", TEXT, nullable=False),
        sa.Column("data", BYTES, nullable=False),
        sa.Column("version", TEXT, nullable=True),
        sa.Column("overlap", TEXT, nullable=False),
        sa.Column("catch_up", INT, nullable=False),
        sa.Column("paused", BOOL, nullable=False),
        sa.Column("next_us", INT, nullable=True),
        sa.Column("last_us", INT, nullable=True),
        sa.Column("last_workflow_id", NAME, nullable=True),
        sa.Column("buffered", INT, nullable=False),
        sa.Column("owner_id", NAME, nullable=True),
        sa.Column("org_id", NAME, nullable=True),
        sa.Column("note", TEXT, nullable=False),
        sa.Column("created_us", INT, nullable=False),
        sa.Column("updated_us", INT, nullable=False),
        sa.Column("revision", INT, nullable=False),
        sa.PrimaryKeyConstraint("schedule_id", name="pk_workflow_schedules"),
        if_not_exists=True,
    )


def _workflow_snapshots() -> None:
    op.create_table(
        "workflow_snapshots",
        sa.Column("id", INT, sa.Identity(), nullable=False),
        sa.Column("workflow_key", INT, nullable=False),
        sa.Column("seq", INT, nullable=False),
        sa.Column("prev", INT, nullable=True),
        sa.Column("data", BYTES, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_workflow_snapshots"),
        if_not_exists=True,
    )


CREATED = {
    "tasks": _tasks,
    "workflow_audit_log": _workflow_audit_log,
    "workflow_definitions": _workflow_definitions,
    "workflow_documents": _workflow_documents,
    "workflow_execution_logs": _workflow_execution_logs,
    "workflow_executions": _workflow_executions,
    "workflow_heartbeats": _workflow_heartbeats,
    "workflow_inbox": _workflow_inbox,
    "workflow_inbox_seen": _workflow_inbox_seen,
    "workflow_metrics": _workflow_metrics,
    "workflow_outbox": _workflow_outbox,
    "workflow_schedules": _workflow_schedules,
    "workflow_snapshots": _workflow_snapshots,
}
