"""Which error is which kind of problem: the one table of codes and statuses."""

from dataclasses import dataclass
from typing import Final, final

from ruvon import engine
from ruvon.cron import InvalidScheduleError
from ruvon.ir import DefinitionError, NotStorableError, ObjectNotFoundError
from ruvon.ir.values import InvalidValueError
from ruvon.providers import InvalidLimitsError, ProtocolError, TransportError, persistence
from ruvon_server.problems import _errors as ours

__all__ = ["HTTP_KINDS", "INTERNAL", "KINDS", "ProblemKind", "kind_of"]


@final
@dataclass(frozen=True, slots=True)
class ProblemKind:
    """A kind of problem."""

    code: str
    """Its name for programs."""
    status: int
    """The status that it is answered with."""
    title: str
    """A few words for people."""
    retry_after_s: int | None = None
    """After so many seconds the same request may succeed."""

    @property
    def type(self) -> str:
        """Its name that is unique in the world."""
        return f"urn:ruvon:problem:{self.code}"


INTERNAL: Final = ProblemKind("internal", 500, "The server failed")

_BY_ERROR: Final[dict[type[Exception], ProblemKind]] = {
    persistence.WorkflowNotFoundError: ProblemKind("workflow-not-found", 404, "No such workflow"),
    persistence.ScheduleNotFoundError: ProblemKind("schedule-not-found", 404, "No such schedule"),
    persistence.TaskNotFoundError: ProblemKind("task-not-found", 404, "No such task"),
    persistence.DefinitionNotFoundError: ProblemKind("definition-not-found", 404, "No such definition"),
    persistence.HistoryForgottenError: ProblemKind("history-forgotten", 410, "The history is not kept that long"),
    persistence.DuplicateIdempotencyKeyError: ProblemKind("idempotency-key-taken", 409, "The key is taken"),
    persistence.WorkflowBusyError: ProblemKind("workflow-busy", 409, "Somebody else drives the workflow", 1),
    persistence.StaleWorkflowError: ProblemKind("workflow-changed", 409, "The workflow has changed meanwhile", 1),
    persistence.StaleScheduleError: ProblemKind("schedule-changed", 409, "The schedule has changed meanwhile", 1),
    persistence.UnsupportedError: ProblemKind("unsupported", 501, "This store cannot do that"),
    persistence.PersistenceError: ProblemKind("store-unavailable", 503, "The store cannot be reached", 5),
    engine.UnknownWorkflowTypeError: ProblemKind("unknown-workflow-type", 404, "No such workflow type"),
    engine.InvalidInitialDataError: ProblemKind("invalid-initial-data", 422, "The data does not fit the workflow"),
    engine.InvalidInputError: ProblemKind("invalid-input", 422, "The input does not fit"),
    engine.NotWaitingForInputError: ProblemKind("not-waiting", 409, "Nothing waits for input"),
    engine.WorkflowFinishedError: ProblemKind("workflow-finished", 409, "The workflow has ended"),
    engine.RepairError: ProblemKind("repair-refused", 409, "The workflow cannot be repaired like that"),
    engine.DefinitionDriftError: ProblemKind("definition-drift", 409, "The deployed code no longer fits"),
    engine.ProgramError: ProblemKind("cannot-run-here", 409, "The definition cannot run here"),
    engine.WrongArgumentError: ProblemKind("wrong-argument", 422, "An argument is of another kind"),
    InvalidValueError: ProblemKind("invalid-value", 422, "A value does not fit"),
    NotStorableError: ProblemKind("not-storable", 422, "A value cannot be stored"),
    ObjectNotFoundError: ProblemKind("code-not-found", 422, "The code is not there"),
    DefinitionError: ProblemKind("invalid-definition", 422, "The definition has mistakes"),
    TransportError: ProblemKind("peer-unreachable", 502, "A server behind this one cannot be reached", 5),
    ProtocolError: ProblemKind("bad-peer", 502, "A server behind this one answered something strange"),
    ours.BadJsonError: ProblemKind("bad-json", 400, "The body cannot be read"),
    ours.BadCursorError: ProblemKind("bad-cursor", 400, "The cursor is none"),
    ours.UnknownParameterError: ProblemKind("unknown-parameter", 400, "There is no such parameter"),
    ours.BadFilterError: ProblemKind("bad-filter", 422, "The filter cannot be understood"),
    ours.TooManyStreamsError: ProblemKind("too-many-streams", 429, "Too many event streams are open", 5),
    ours.VersionTakenError: ProblemKind("version-taken", 409, "The version has another content"),
    ours.DefinedByFilesError: ProblemKind("defined-by-files", 409, "The type is defined by files"),
    ours.UnsupportedMediaTypeError: ProblemKind("unsupported-media-type", 415, "The body is of another type"),
    ours.NotAuthenticatedError: ProblemKind("not-authenticated", 401, "Nobody says who asks"),
    ours.NotAllowedError: ProblemKind("not-allowed", 403, "The permission is missing"),
    ours.OtherOriginError: ProblemKind("other-origin", 403, "The page comes from elsewhere"),
    ours.OtherTenantError: ProblemKind("other-tenant", 403, "It would belong to somebody else"),
    ours.CrossOriginError: ProblemKind("cross-origin", 403, "A page from elsewhere asks"),
    ours.StoreWideError: ProblemKind("store-wide", 403, "It concerns all tenants"),
    ours.BeyondOwnRightsError: ProblemKind("beyond-own-rights", 403, "The key would do more than you may"),
    ours.UnknownRoleError: ProblemKind("unknown-role", 422, "No such role"),
    ours.DeviceWithoutOwnerError: ProblemKind("device-without-owner", 422, "The device belongs to nobody"),
    ours.KeyNotFoundError: ProblemKind("key-not-found", 404, "No such key"),
    ours.KeyEndedError: ProblemKind("key-ended", 409, "The key has ended"),
    ours.KeysBusyError: ProblemKind("keys-busy", 409, "Another server changes keys", 1),
    ours.TooManyRequestsError: ProblemKind("too-many-requests", 429, "Too many requests", 1),
    ours.IssuerUnreachableError: ProblemKind("issuer-unreachable", 503, "Nobody can be recognised now", 5),
    ours.BusyElsewhereError: ProblemKind("busy-elsewhere", 409, "Somebody else changes it", 1),
    ours.HumanTaskNotFoundError: ProblemKind("human-task-not-found", 404, "No such task waits"),
    ours.TaskOfAnotherError: ProblemKind("task-of-another", 409, "The task is somebody else's"),
    ours.SecretsRefusedError: ProblemKind("secret-refused", 422, "Uploads may not have the secret"),
    ours.TaskOfRoleError: ProblemKind("task-of-role", 403, "The task is for another role"),
    ours.LinksAreOffError: ProblemKind("links-off", 409, "There are no approval links"),
    ours.LinkNotFoundError: ProblemKind("link-not-found", 404, "No such approval link"),
    ours.LinkExpiredError: ProblemKind("link-expired", 410, "The link's time is over"),
    ours.LinkUsedError: ProblemKind("link-used", 409, "The task waits no more"),
    ours.ScheduleTakenError: ProblemKind("schedule-taken", 409, "The name is taken"),
    InvalidScheduleError: ProblemKind("invalid-schedule", 422, "The schedule cannot be"),
    ours.NoLimitsError: ProblemKind("no-limits", 404, "The queue has no limits"),
    ours.NotDeadError: ProblemKind("not-dead", 409, "The task is no dead letter"),
    ours.WebhookNotFoundError: ProblemKind("webhook-not-found", 404, "No such webhook"),
    ours.DeliveryNotFoundError: ProblemKind("delivery-not-found", 404, "No such delivery"),
    ours.WebhookUrlRefusedError: ProblemKind("webhook-url-refused", 422, "Webhooks do not go there"),
    ours.WebhookDisabledError: ProblemKind("webhook-disabled", 409, "The webhook is switched off"),
    ours.TooManyWebhooksError: ProblemKind("too-many-webhooks", 409, "There are too many webhooks"),
    InvalidLimitsError: ProblemKind("invalid-limits", 422, "The limits cannot be"),
    ours.IdempotencyKeyReusedError: ProblemKind("idempotency-key-reused", 422, "The key was used for something else"),
}

HTTP_KINDS: Final[dict[int, ProblemKind]] = {
    kind.status: kind
    for kind in (
        ProblemKind("bad-request", 400, "The request cannot be understood"),
        ProblemKind("not-authenticated", 401, "Nobody says who asks"),
        ProblemKind("not-allowed", 403, "The permission is missing"),
        ProblemKind("not-found", 404, "There is nothing at this path"),
        ProblemKind("method-not-allowed", 405, "The path does not have this method"),
        ProblemKind("body-too-large", 413, "The body is too large"),
        ProblemKind("unsupported-media-type", 415, "The body is of another type"),
        ProblemKind("invalid-request", 422, "The request does not fit"),
        ProblemKind("too-many-requests", 429, "Too many requests", 1),
        INTERNAL,
        ProblemKind("unavailable", 503, "The server cannot answer now", 5),
    )
}
"""What the web framework refuses, by status."""

KINDS: Final = tuple({kind.code: kind for kind in (*_BY_ERROR.values(), *HTTP_KINDS.values())}.values())
"""Every kind there is."""


def kind_of(exc: Exception) -> ProblemKind:
    """The kind of an error; one that is in no table is the server's own fault."""
    for cls in type(exc).__mro__:
        found = _BY_ERROR.get(cls)
        if found is not None:
            return found
    return INTERNAL
