"""`AsyncClient`: asks a server while other tasks go on."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from datetime import timedelta
from types import TracebackType
from typing import Self, TypeVar, final

import httpx

from ruvon.providers import SystemClock, SystemIds
from ruvon_server.client._bound import SlowMethod, SlowPages, SlowStream
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

__all__ = ["AsyncClient"]

T = TypeVar("T")


@final
class AsyncClient:
    """A server, asked from a running event loop; tasks may share one.

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
        http: httpx.AsyncClient | None = None,
    ) -> None:
        self._http = httpx.AsyncClient(base_url=checked_url(url)) if http is None else http
        self._is_ours = http is None
        self._key = headers_of(api_key)
        self._pause: Callable[[float], Awaitable[None]] = asyncio.sleep
        self._options = Options(
            str(self._http.base_url),
            timeout.total_seconds(),
            attempts,
            pause.total_seconds(),
            SystemIds(),
            SystemClock(),
        )

    start_workflow = SlowMethod(workflows.start_workflow)
    check_start = SlowMethod(workflows.check_start)
    list_workflows = SlowMethod(workflows.list_workflows)
    find_workflow_ids = SlowMethod(workflows.find_workflow_ids)
    bulk_workflows = SlowMethod(workflows.bulk_workflows)
    resume_workflows = SlowMethod(workflows.resume_workflows)
    get_workflow = SlowMethod(workflows.get_workflow)
    get_workflow_state = SlowMethod(workflows.get_workflow_state)
    get_current_step = SlowMethod(workflows.get_current_step)
    run_next_step = SlowMethod(workflows.run_next_step)
    resume_workflow = SlowMethod(workflows.resume_workflow)
    signal_workflow = SlowMethod(workflows.signal_workflow)
    cancel_workflow = SlowMethod(workflows.cancel_workflow)
    retry_workflow = SlowMethod(workflows.retry_workflow)
    retry_compensation = SlowMethod(workflows.retry_compensation)
    rewind_workflow = SlowMethod(workflows.rewind_workflow)
    fork_workflow = SlowMethod(workflows.fork_workflow)
    jump_workflow = SlowMethod(workflows.jump_workflow)
    migrate_workflow = SlowMethod(workflows.migrate_workflow)
    migrate_workflows = SlowMethod(workflows.migrate_workflows)

    list_definitions = SlowMethod(definitions.list_definitions)
    upload_definition = SlowMethod(definitions.upload_definition)
    get_definition = SlowMethod(definitions.get_definition)
    list_definition_versions = SlowMethod(definitions.list_definition_versions)
    get_definition_history = SlowMethod(definitions.get_definition_history)
    diff_definitions = SlowMethod(definitions.diff_definitions)
    get_definition_graph = SlowMethod(definitions.get_definition_graph)
    get_definition_document = SlowMethod(definitions.get_definition_document)
    get_definition_picture = SlowMethod(definitions.get_definition_picture)

    get_health = SlowMethod(health.get_health)
    get_readiness = SlowMethod(health.get_readiness)
    get_metrics = SlowMethod(health.get_metrics)

    set_queue_limits = SlowMethod(queues.set_queue_limits)
    requeue_dead_letter = SlowMethod(queues.requeue_dead_letter)
    list_workers = SlowMethod(queues.list_workers)
    list_queues = SlowMethod(queues.list_queues)
    lift_queue_limits = SlowMethod(queues.lift_queue_limits)
    list_tasks = SlowMethod(queues.list_tasks)
    get_task = SlowMethod(queues.get_task)
    list_dead_letters = SlowMethod(queues.list_dead_letters)
    get_dead_letter = SlowMethod(queues.get_dead_letter)
    discard_dead_letter = SlowMethod(queues.discard_dead_letter)

    add_schedule = SlowMethod(schedules.add_schedule)
    pause_schedule = SlowMethod(schedules.pause_schedule)
    list_schedules = SlowMethod(schedules.list_schedules)
    get_schedule = SlowMethod(schedules.get_schedule)
    resume_schedule = SlowMethod(schedules.resume_schedule)
    remove_schedule = SlowMethod(schedules.remove_schedule)

    get_workflow_history = SlowMethod(histories.get_workflow_history)
    get_workflow_logs = SlowMethod(histories.get_workflow_logs)
    get_workflow_metrics = SlowMethod(histories.get_workflow_metrics)
    get_fleet_metrics = SlowMethod(histories.get_fleet_metrics)
    get_recorded_metrics = SlowMethod(histories.get_recorded_metrics)

    release_human_task = SlowMethod(human_tasks.release_human_task)
    answer_human_task = SlowMethod(human_tasks.answer_human_task)
    make_approval_link = SlowMethod(human_tasks.make_approval_link)
    list_human_tasks = SlowMethod(human_tasks.list_human_tasks)
    get_human_task = SlowMethod(human_tasks.get_human_task)
    claim_human_task = SlowMethod(human_tasks.claim_human_task)
    get_approval = SlowMethod(human_tasks.get_approval)
    use_approval = SlowMethod(human_tasks.use_approval)

    list_webhooks = SlowMethod(webhooks.list_webhooks)
    create_webhook = SlowMethod(webhooks.create_webhook)
    get_webhook = SlowMethod(webhooks.get_webhook)
    update_webhook = SlowMethod(webhooks.update_webhook)
    delete_webhook = SlowMethod(webhooks.delete_webhook)
    rotate_webhook_secret = SlowMethod(webhooks.rotate_webhook_secret)
    test_webhook = SlowMethod(webhooks.test_webhook)
    list_webhook_deliveries = SlowMethod(webhooks.list_webhook_deliveries)
    replay_webhook_delivery = SlowMethod(webhooks.replay_webhook_delivery)
    recover_webhook = SlowMethod(webhooks.recover_webhook)

    list_keys = SlowMethod(keys.list_keys)
    create_key = SlowMethod(keys.create_key)
    get_key = SlowMethod(keys.get_key)
    rotate_key = SlowMethod(keys.rotate_key)
    revoke_key = SlowMethod(keys.revoke_key)

    list_changes = SlowMethod(changes.list_changes)

    stream_events = SlowStream(events.stream_events)
    stream_workflow_events = SlowStream(events.stream_workflow_events)

    each_workflow = SlowPages(workflows.list_workflows, WorkflowRow)
    each_webhook = SlowPages(webhooks.list_webhooks, Webhook)
    each_webhook_delivery = SlowPages(webhooks.list_webhook_deliveries, Delivery)
    each_key = SlowPages(keys.list_keys, KeyInfo)
    each_definition = SlowPages(definitions.list_definitions, DefinitionRow)
    each_task = SlowPages(queues.list_tasks, Task)
    each_dead_letter = SlowPages(queues.list_dead_letters, DeadLetter)
    each_log_line = SlowPages(histories.get_workflow_logs, LogLine)

    async def wait(
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
        return await self._run(rest(workflow_id, self._options, patience, until_ended=until_ended))

    async def send(self, call: Call[T]) -> T:
        """The answer of a call; what every method does with the call that it makes.

        Raises:
            ProblemError: the server did not do it.
            ServerUnreachableError: no answer came.
            UnexpectedAnswerError: what answered is no server of ours.
        """
        return await self._run(exchange(call, self._options))

    async def follow(self, call: Call[None]) -> AsyncGenerator[ServerEvent, None]:
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
                await self._pause(pause_s)
            try:
                async with self._http.stream(**sent_by(following.request(), self._key)) as answer:
                    if not following.is_open(answer):
                        await answer.aread()
                        pause_s = following.refused(answer)
                        continue
                    async for chunk in answer.aiter_bytes():
                        for message in following.feed(answer, chunk):
                            yield message
                pause_s = following.ended()
            except httpx.TransportError as exc:
                pause_s = following.lost(exc)

    async def _run(self, steps: Steps[T]) -> T:
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
                await self._pause(wanted.seconds)
                continue
            try:
                answer = await self._http.request(**sent_by(wanted, self._key))
            except httpx.RequestError as exc:
                lost = exc

    async def close(self) -> None:
        """Close the connections that this client has opened."""
        if self._is_ours:
            await self._http.aclose()

    async def __aenter__(self) -> Self:
        """The client itself."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it."""
        await self.close()
