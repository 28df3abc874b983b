"""`metadata`: every table of the cloud database.

An application declares tables of its own on the same object, and one Alembic history migrates all of them:

    from sqlalchemy import Column, String, Table
    from ruvon.db_schema.database import metadata

    payment_events = Table("payment_events", metadata, Column("id", String(36), primary_key=True))

The types are neutral: on SQLite the same declarations give what `SQLITE_SCHEMA` creates on a device, plus the column
`state`. Integer keys, an append-only log chained by `prev`, and no index on what changes with every step.
"""

from typing import Any, Final

from ruvon.providers import MissingExtraError

try:
    import sqlalchemy as sa
    from sqlalchemy.dialects import postgresql as pg
except ImportError:
    raise MissingExtraError("postgres", "SQLAlchemy") from None

__all__ = ["OWN_TABLES", "metadata"]

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)

_NAME: Final = sa.Text().with_variant(
    pg.TEXT(collation="C"), "postgresql"
)  # ordered as every store orders: by code point
_INT: Final = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_BOOL: Final = sa.Boolean().with_variant(sa.Integer(), "sqlite")
_REAL: Final = sa.Double[float]().with_variant(sa.REAL(), "sqlite")
_JSON: Final = sa.Text().with_variant(pg.JSONB(), "postgresql")
_BYTES: Final = sa.LargeBinary()


def _column(name: str, kind: Any, *, default: str | None = None) -> "sa.Column[Any]":
    return sa.Column(name, kind, nullable=False, server_default=sa.text(default) if default is not None else None)


def _maybe(name: str, kind: Any) -> "sa.Column[Any]":
    return sa.Column(name, kind, nullable=True)


def _key(name: str, kind: Any) -> "sa.Column[Any]":
    return sa.Column(name, kind, primary_key=True, autoincrement=False)


def _number(name: str) -> "sa.Column[Any]":
    return sa.Column(name, _INT, sa.Identity(), primary_key=True)


def _where(condition: str) -> dict[str, Any]:
    return {"postgresql_where": sa.text(condition), "sqlite_where": sa.text(condition)}


workflow_executions = sa.Table(
    "workflow_executions",
    metadata,
    _number("key"),
    _column("id", _NAME),
    _column("workflow_type", _NAME),
    _column("workflow_version", _NAME),
    _column("digest", _BYTES),
    _column("status", _NAME),
    _column("revision", _INT),
    _column("transition_id", _BYTES),
    _column("position", _BYTES),
    _column("last_seq", _INT),
    _maybe("log_head", _INT),
    _maybe("current_step", sa.Text()),
    _maybe("waiting_for", _BYTES),
    _maybe("due_us", _INT),
    _maybe("result", _BYTES),
    _maybe("error", _BYTES),
    sa.Column("saga_enabled", _BOOL, nullable=False, server_default=sa.false()),
    _maybe("owner_id", _NAME),
    _maybe("org_id", _NAME),
    _maybe("data_region", sa.Text()),
    _column("priority", _INT, default="0"),
    _maybe("idempotency_key", _NAME),
    _column("metadata", _JSON, default="'{}'"),
    _maybe("parent_id", _NAME),
    _maybe("parent_activation", sa.Text()),
    _maybe("scheduled_for_us", _INT),
    _column("created_us", _INT),
    _column("updated_us", _INT),
    _maybe("snapshot_head", _INT),
    _maybe("state", _JSON),
    sa.UniqueConstraint("id"),
    postgresql_with={"fillfactor": 70},  # room for the next version of a row on its own page
)
sa.Index(
    "ix_executions_idempotency",
    workflow_executions.c.idempotency_key,
    unique=True,
    **_where("idempotency_key IS NOT NULL"),
)
sa.Index(
    "ix_executions_status",
    workflow_executions.c.status,
    workflow_executions.c.created_us,
    workflow_executions.c.org_id,
)
sa.Index(
    "ix_executions_type",
    workflow_executions.c.workflow_type,
    workflow_executions.c.status,
    workflow_executions.c.created_us,
    workflow_executions.c.digest,
)
sa.Index(
    "ix_executions_owner",
    workflow_executions.c.owner_id,
    workflow_executions.c.status,
    workflow_executions.c.created_us,
    workflow_executions.c.workflow_type,
    **_where("owner_id IS NOT NULL"),
)
sa.Index("ix_executions_due", workflow_executions.c.due_us, **_where("due_us IS NOT NULL"))
sa.Index("ix_executions_parent", workflow_executions.c.parent_id, **_where("parent_id IS NOT NULL"))
sa.Index("ix_executions_created", workflow_executions.c.created_us, workflow_executions.c.key).ddl_if(
    dialect="postgresql"
)
sa.Index(
    "ix_executions_metadata",
    workflow_executions.c.metadata,
    postgresql_using="gin",
    postgresql_ops={"metadata": "jsonb_path_ops"},
).ddl_if(dialect="postgresql")
sa.Index(
    "ix_executions_metadata",
    workflow_executions.c.created_us,
    workflow_executions.c.metadata,
    sqlite_where=sa.text("metadata <> '{}'"),
).ddl_if(dialect="sqlite")

sa.Table(
    "workflow_snapshots",
    metadata,
    _number("id"),
    _column("workflow_key", _INT),
    _column("seq", _INT),
    _maybe("prev", _INT),
    _column("data", _BYTES),
)

sa.Table(
    "workflow_audit_log",
    metadata,
    _number("id"),
    _column("workflow_key", _INT),
    _column("seq", _INT),
    _maybe("prev", _INT),
    _column("kind", sa.Text()),
    _column("node", sa.Text()),
    _column("activation", sa.Text()),
    _column("at_us", _INT),
    _column("attempt", _INT),
    _column("delta", _BYTES),
    _maybe("result", _BYTES),
    _maybe("saga", _BYTES),
    _maybe("error", _BYTES),
    _column("note", sa.Text()),
    _maybe("position", _BYTES),
)

workflow_inbox = sa.Table(
    "workflow_inbox",
    metadata,
    _number("seq"),
    _column("workflow_id", _NAME),
    _column("kind", sa.Text()),
    _column("name", sa.Text()),
    _maybe("key", sa.Text()),
    _column("payload", _BYTES),
    _maybe("dedup", _NAME),
    _column("at_us", _INT),
    sqlite_autoincrement=True,
)
sa.Index("ix_inbox_workflow", workflow_inbox.c.workflow_id)

sa.Table(
    "workflow_inbox_seen",
    metadata,
    _key("workflow_id", _NAME),
    _key("dedup", _NAME),
    sqlite_with_rowid=False,
)

sa.Table(
    "workflow_definitions",
    metadata,
    _key("digest", _BYTES),
    _column("workflow_type", _NAME),
    _column("workflow_version", _NAME),
    _column("text", _BYTES),
    _column("stored_us", _INT, default="0"),
)

tasks = sa.Table(
    "tasks",
    metadata,
    _key("task_id", _NAME),
    _column("workflow_id", _NAME),
    _column("kind", sa.Text()),
    _column("activation", sa.Text()),
    _column("queue", _NAME),
    _column("available_us", _INT),
    _column("priority", _INT),
    _column("payload", _BYTES),
    _column("attempt", _INT),
    _column("status", _NAME),
    _maybe("worker_id", _NAME),
    _column("lease_epoch", _INT),
    _column("lease_us", _INT),
    _column("crashes", _INT, default="0"),
    _maybe("progress", _BYTES),
    _maybe("concurrency_key", _NAME),
)
sa.Index("ix_tasks_pending", tasks.c.priority.desc(), tasks.c.available_us, **_where("status = 'pending'"))
sa.Index(
    "ix_tasks_wakes",
    tasks.c.priority.desc(),
    tasks.c.available_us,
    **_where("status = 'pending' AND kind <> 'step'"),
)
sa.Index("ix_tasks_leases", tasks.c.lease_us, **_where("status = 'claimed'"))
sa.Index("ix_tasks_workflow", tasks.c.workflow_id)

sa.Table(
    "queue_limits",
    metadata,
    _key("queue", _NAME),
    _maybe("concurrency", _INT),
    _maybe("per_key", _INT),
    _maybe("rate", _INT),
    _column("period_us", _INT),
    _column("starts", sa.Text()),
)

sa.Table(
    "workers",
    metadata,
    _key("worker_id", _NAME),
    _column("host", sa.Text()),
    _column("pid", _INT),
    _column("queues", sa.Text()),
    _column("concurrency", _INT),
    _column("started_us", _INT),
    _column("seen_us", _INT),
    _column("running", sa.Text()),
    _column("draining", _BOOL),
    _column("lease_us", _INT, default="0"),
)

sa.Table(
    "workflow_outbox",
    metadata,
    _number("id"),
    _column("topic", sa.Text()),
    _column("payload", _BYTES),
    _column("at_us", _INT),
    _maybe("workflow_id", _NAME),
    _column("key", sa.Text(), default="''"),
    sqlite_autoincrement=True,
)

sa.Table(
    "workflow_schedules",
    metadata,
    _key("schedule_id", _NAME),
    _column("workflow_type", _NAME),
    _column("cron", sa.Text()),
    _column("timezone", sa.Text()),
    _column("data", _BYTES),
    _maybe("version", sa.Text()),
    _column("overlap", sa.Text()),
    _column("catch_up", _INT),
    _column("paused", _BOOL),
    _maybe("next_us", _INT),
    _maybe("last_us", _INT),
    _maybe("last_workflow_id", _NAME),
    _column("buffered", _INT),
    _maybe("owner_id", _NAME),
    _maybe("org_id", _NAME),
    _column("note", sa.Text()),
    _column("created_us", _INT),
    _column("updated_us", _INT),
    _column("revision", _INT),
    _maybe("data_region", sa.Text()),
)

sa.Table(
    "workflow_documents",
    metadata,
    _key("id", _NAME),
    _column("data", sa.Text()),
    _maybe("status", _NAME),
    _maybe("workflow_type", _NAME),
    _maybe("owner_id", _NAME),
    _column("created_us", _INT),
    _column("updated_us", _INT),
)

workflow_execution_logs = sa.Table(
    "workflow_execution_logs",
    metadata,
    _number("id"),
    _column("workflow_id", _NAME),
    _maybe("step_name", sa.Text()),
    _column("level", _NAME),
    _column("message", sa.Text()),
    _column("metadata", sa.Text()),
    _column("at_us", _INT),
)
sa.Index("ix_execution_logs_workflow", workflow_execution_logs.c.workflow_id)

workflow_metrics = sa.Table(
    "workflow_metrics",
    metadata,
    _number("id"),
    _column("workflow_id", _NAME),
    _maybe("step_name", _NAME),
    _column("name", _NAME),
    _column("value", _REAL),
    _column("metadata", sa.Text()),
    _column("at_us", _INT),
)
sa.Index("ix_metrics_workflow", workflow_metrics.c.workflow_id)

sa.Table(
    "workflow_heartbeats",
    metadata,
    _key("workflow_id", _NAME),
    _column("worker_id", _NAME),
    _maybe("current_step", sa.Text()),
    _column("step_started_us", _INT),
    _column("heartbeat_us", _INT),
    _column("metadata", sa.Text()),
)

# Which instances of a server are held; not on devices, whose lock file says it. What a crash of the server does to it is
# right: then no holder has died. SQLAlchemy cannot declare a table of one dialect only.
_CREATE_DRIVES: Final = """
CREATE UNLOGGED TABLE IF NOT EXISTS workflow_drives (
    workflow_key BIGINT PRIMARY KEY, token BYTEA NOT NULL, deaths BIGINT NOT NULL
)"""
_DROP_DRIVES: Final = "DROP TABLE IF EXISTS workflow_drives"
for _moment, _statement in (("after_create", _CREATE_DRIVES), ("after_drop", _DROP_DRIVES)):
    sa.event.listen(metadata, _moment, sa.DDL(_statement).execute_if(dialect="postgresql"))  # type: ignore[no-untyped-call]

OWN_TABLES: Final = frozenset([*metadata.tables, "workflow_drives"])
"""The tables that only Ruvon writes and reads; what an application declares later is its own."""
