"""`Client`: asks a server, and waits for each answer."""

import time
from collections.abc import Callable, Generator
from datetime import timedelta
from types import TracebackType
from typing import Self, TypeVar, final

import httpx

from ruvon.providers import SystemClock, SystemIds
from ruvon_server.client._bound import Method, Pages, Stream
from ruvon_server.client._call import Call, WorkflowRef
from ruvon_server.client._exchange import Options, Pause, Steps, exchange, rest
from ruvon_server.client._following import Following, ServerEvent
from ruvon_server.client._settings import checked_url, headers_of, sent_by
from ruvon_server.client.calls import (
    changes,
    definitions,
    events,
    health,
    histories,
    human_tasks,
    keys,
    queues,
    schedules,
    webhooks,
    workflows,
)
from ruvon_server.models.definitions import DefinitionRow
from ruvon_server.models.histories import LogLine
from ruvon_server.models.keys import KeyInfo
from ruvon_server.models.queues import DeadLetter, Task
from ruvon_server.models.webhooks import Delivery, Webhook
from ruvon_server.models.workflows import WorkflowInfo, WorkflowRow

__all__ = ["Client"]

T = TypeVar("T")


@final
class Client:
    """A server, asked from ordinary code; threads may share one.

    Its methods are the operations of the API under the ids that they have in its document; each takes what the operation
    takes. What is sent twice by chance does no harm: looking, and starting under an idempotency key, which a start gets
    where it has none, are tried again when no answer comes; everything else only where it was never sent.

    Args:
        url: the server.
        api_key: an API key, or a JWT; sent as a bearer token.
        timeout: so long an answer may take, beside what a call asks the server to wait.
        attempts: so often a request is sent at most.
        pause: the pause after the first attempt; each one is twice as long as the one before.
        http: sends the requests, with its own base address, in place of a connection of its own; it stays open.
    """

    def __init__(
        self,
        url: str = "http://127.0.0.1:8000",
        *,
        api_key: str | None = None,
        timeout: timedelta = timedelta(seconds=30),
        attempts: int = 4,
        pause: timedelta = timedelta(milliseconds=250),
        http: httpx.Client | None = None,
    ) -> None:
        self._http = httpx.Client(base_url=checked_url(url)) if http is None else http
        self._is_ours = http is None
        self._key = headers_of(api_key)
        self._pause: Callable[[float], None] = time.sleep
        self._options = Options(
            str(self._http.base_url),
            timeout.total_seconds(),
            attempts,
            pause.total_seconds(),
            SystemIds(),
            SystemClock(),
        )

    start_workflow = Method(workflows.start_workflow)
    check_start = Method(workflows.check_start)
    list_workflows = Method(workflows.list_workflows)
    find_workflow_ids = Method(workflows.find_workflow_ids)
    bulk_workflows = Method(workflows.bulk_workflows)
    resume_workflows = Method(workflows.resume_workflows)
    get_workflow = Method(workflows.get_workflow)
    get_workflow_state = Method(workflows.get_workflow_state)
    get_current_step = Method(workflows.get_current_step)
    run_next_step = Method(workflows.run_next_step)
    resume_workflow = Method(workflows.resume_workflow)
    signal_workflow = Method(workflows.signal_workflow)
    cancel_workflow = Method(workflows.cancel_workflow)
    retry_workflow = Method(workflows.retry_workflow)
    retry_compensation = Method(workflows.retry_compensation)
    rewind_workflow = Method(workflows.rewind_workflow)
    fork_workflow = Method(workflows.fork_workflow)
    jump_workflow = Method(workflows.jump_workflow)
    migrate_workflow = Method(workflows.migrate_workflow)
    migrate_workflows = Method(workflows.migrate_workflows)

    list_definitions = Method(definitions.list_definitions)
    upload_definition = Method(definitions.upload_definition)
    get_definition = Method(definitions.get_definition)
    list_definition_versions = Method(definitions.list_definition_versions)
    get_definition_history = Method(definitions.get_definition_history)
    diff_definitions = Method(definitions.diff_definitions)
    get_definition_graph = Method(definitions.get_definition_graph)
    get_definition_document = Method(definitions.get_definition_document)
    get_definition_picture = Method(definitions.get_definition_picture)

    get_health = Method(health.get_health)
    get_readiness = Method(health.get_readiness)
    get_metrics = Method(health.get_metrics)

    set_queue_limits = Method(queues.set_queue_limits)
    requeue_dead_letter = Method(queues.requeue_dead_letter)
    list_workers = Method(queues.list_workers)
    list_queues = Method(queues.list_queues)
    lift_queue_limits = Method(queues.lift_queue_limits)
    list_tasks = Method(queues.list_tasks)
    get_task = Method(queues.get_task)
    list_dead_letters = Method(queues.list_dead_letters)
    get_dead_letter = Method(queues.get_dead_letter)
    discard_dead_letter = Method(queues.discard_dead_letter)

    add_schedule = Method(schedules.add_schedule)
    pause_schedule = Method(schedules.pause_schedule)
    list_schedules = Method(schedules.list_schedules)
    get_schedule = Method(schedules.get_schedule)
    resume_schedule = Method(schedules.resume_schedule)
    remove_schedule = Method(schedules.remove_schedule)

    get_workflow_history = Method(histories.get_workflow_history)
    get_workflow_logs = Method(histories.get_workflow_logs)
    get_workflow_metrics = Method(histories.get_workflow_metrics)
    get_fleet_metrics = Method(histories.get_fleet_metrics)
    get_recorded_metrics = Method(histories.get_recorded_metrics)

    release_human_task = Method(human_tasks.release_human_task)
    answer_human_task = Method(human_tasks.answer_human_task)
    make_approval_link = Method(human_tasks.make_approval_link)
    list_human_tasks = Method(human_tasks.list_human_tasks)
    get_human_task = Method(human_tasks.get_human_task)
    claim_human_task = Method(human_tasks.claim_human_task)
    get_approval = Method(human_tasks.get_approval)
    use_approval = Method(human_tasks.use_approval)

    list_webhooks = Method(webhooks.list_webhooks)
    create_webhook = Method(webhooks.create_webhook)
    get_webhook = Method(webhooks.get_webhook)
    update_webhook = Method(webhooks.update_webhook)
    delete_webhook = Method(webhooks.delete_webhook)
    rotate_webhook_secret = Method(webhooks.rotate_webhook_secret)
    test_webhook = Method(webhooks.test_webhook)
    list_webhook_deliveries = Method(webhooks.list_webhook_deliveries)
    replay_webhook_delivery = Method(webhooks.replay_webhook_delivery)
    recover_webhook = Method(webhooks.recover_webhook)

    list_keys = Method(keys.list_keys)
    create_key = Method(keys.create_key)
    get_key = Method(keys.get_key)
    rotate_key = Method(keys.rotate_key)
    revoke_key = Method(keys.revoke_key)

    list_changes = Method(changes.list_changes)

    stream_events = Stream(events.stream_events)
    stream_workflow_events = Stream(events.stream_workflow_events)

    each_workflow = Pages(workflows.list_workflows, WorkflowRow)
    each_webhook = Pages(webhooks.list_webhooks, Webhook)
    each_webhook_delivery = Pages(webhooks.list_webhook_deliveries, Delivery)
    each_key = Pages(keys.list_keys, KeyInfo)
    each_definition = Pages(definitions.list_definitions, DefinitionRow)
    each_task = Pages(queues.list_tasks, Task)
    each_dead_letter = Pages(queues.list_dead_letters, DeadLetter)
    each_log_line = Pages(histories.get_workflow_logs, LogLine)

    def wait(
        self, workflow_id: WorkflowRef, *, patience: timedelta = timedelta(minutes=1), until_ended: bool = False
    ) -> WorkflowInfo:
        """How a workflow stands as soon as it has ended or waits for somebody: a person, an input, a signal.

        Args:
            workflow_id: which one.
            patience: so long it is looked at.
            until_ended: only an end counts.

        Raises:
            StillRunningError: it goes on after that time.
        """
        return self._run(rest(workflow_id, self._options, patience, until_ended=until_ended))

    def send(self, call: Call[T]) -> T:
        """The answer of a call; what every method does with the call that it makes.

        Raises:
            ProblemError: the server did not do it.
            ServerUnreachableError: no answer came.
            UnexpectedAnswerError: what answered is no server of ours.
        """
        return self._run(exchange(call, self._options))

    def follow(self, call: Call[None]) -> Generator[ServerEvent, None, None]:
        """The messages of a stream, over as many connections as it takes; closing the generator ends it.

        Behind the last message with an id it goes on where a connection is lost. Where none had one yet, what was told in
        between is missed; each connection begins with the message `opened`.

        Raises:
            ProblemError: the server does not open it.
            ServerUnreachableError: no connection is made any more, or each one breaks before it says anything.
            UnexpectedAnswerError: what answered is no server of ours.
        """
        following = Following(call, self._options)
        pause_s: float | None = 0.0
        while pause_s is not None:
            if pause_s:
                self._pause(pause_s)
            try:
                with self._http.stream(**sent_by(following.request(), self._key)) as answer:
                    if not following.is_open(answer):
                        answer.read()
                        pause_s = following.refused(answer)
                        continue
                    for chunk in answer.iter_bytes():
                        yield from following.feed(answer, chunk)
                pause_s = following.ended()
            except httpx.TransportError as exc:
                pause_s = following.lost(exc)

    def _run(self, steps: Steps[T]) -> T:
        answer: httpx.Response | None = None
        lost: httpx.RequestError | None = None
        while True:
            try:
                wanted = steps.send(answer) if lost is None else steps.throw(lost)
            except StopIteration as end:
                found: T = end.value
                return found
            answer = lost = None
            if isinstance(wanted, Pause):
                self._pause(wanted.seconds)
                continue
            try:
                answer = self._http.request(**sent_by(wanted, self._key))
            except httpx.RequestError as exc:
                lost = exc

    def close(self) -> None:
        """Close the connections that this client has opened."""
        if self._is_ours:
            self._http.close()

    def __enter__(self) -> Self:
        """The client itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it."""
        self.close()
