"""What a client raises.

RuvonError
└── ClientError
    ├── InvalidRequestError (ValueError)             arguments do not fit; nothing was sent
    ├── ServerUnreachableError (TransportError)      no answer came
    ├── UnexpectedAnswerError (ProtocolError)        what answered is no Ruvon server
    ├── ProblemError                                 the server did not do it, and says why
    └── StillRunningError (TimeoutError)             patience with a workflow has ended
"""

from collections.abc import Sequence

from ruvon.ir import RuvonError
from ruvon.providers import ProtocolError, TransportError
from ruvon_server.models.problems import Problem, ProblemItem

__all__ = [
    "ClientError",
    "InvalidRequestError",
    "ProblemError",
    "ServerUnreachableError",
    "StillRunningError",
    "UnexpectedAnswerError",
]


class ClientError(RuvonError):
    """A server was not asked, did not answer, or did not do what it was asked."""


class InvalidRequestError(ClientError, ValueError):
    """The arguments of a call do not fit; nothing was sent.

    Args:
        operation: the name of the call.
        problems: what is wrong, one sentence each.
    """

    def __init__(self, operation: str, problems: Sequence[str]) -> None:
        self.operation = operation
        self.problems = tuple(problems)
        super().__init__(f"{operation} cannot be asked like this: {'; '.join(problems)}")


class ServerUnreachableError(ClientError, TransportError):
    """No answer came. What was asked may have been done all the same, unless no connection was made at all.

    Args:
        url: the server.
        reason: what happened to the last attempt.
        was_sent: whether the server may have got the request.
    """

    def __init__(self, url: str, reason: str, *, was_sent: bool) -> None:
        self.url = url
        self.was_sent = was_sent
        done = "; what was asked may have been done, so look before you repeat it" if was_sent else ""
        super().__init__(f"no answer comes from {url} ({reason}); is the server up, and the address right?{done}")


class UnexpectedAnswerError(ClientError, ProtocolError):
    """What answers is no Ruvon server, one of another version, or something in between.

    Args:
        url: what was asked for.
        status: the status of the answer.
        reason: what is strange about it.
    """

    def __init__(self, url: str, status: int, reason: str) -> None:
        self.url = url
        self.status = status
        super().__init__(f"{url} answered {status} in a way that no Ruvon server does: {reason}; check the address")


class ProblemError(ClientError):
    """The server did not do what it was asked, and says why.

    Args:
        problem: what it says.
        retry_after_s: after so many seconds the same request may succeed.
    """

    def __init__(self, problem: Problem, retry_after_s: float | None = None) -> None:
        self.problem = problem
        self.retry_after_s = retry_after_s
        super().__init__(problem.detail)

    @property
    def code(self) -> str:
        """The kind of problem, such as `workflow-not-found`."""
        return self.problem.code

    @property
    def status(self) -> int:
        """The status of the answer."""
        return self.problem.status

    @property
    def detail(self) -> str:
        """What is wrong, and what to do."""
        return self.problem.detail

    @property
    def errors(self) -> Sequence[ProblemItem]:
        """Each thing that is wrong, where there are several."""
        return tuple(self.problem.errors)


class StillRunningError(ClientError, TimeoutError):
    """A workflow has neither ended nor come to rest in the time that it was waited for; it goes on.

    Args:
        workflow_id: which one.
        status: how it stands.
        waited_s: so many seconds were waited.
    """

    def __init__(self, workflow_id: str, status: str, waited_s: float) -> None:
        self.workflow_id = workflow_id
        self.status = status
        super().__init__(f"after {waited_s:g} s the workflow {workflow_id} is still {status}; it goes on, wait again")
