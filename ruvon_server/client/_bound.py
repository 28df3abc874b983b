"""How calls become methods of the two clients: descriptors that keep the signatures."""

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Generator, Iterator
from typing import Any, Generic, ParamSpec, Protocol, TypeVar, final

from ruvon_server.client._call import Call, Page
from ruvon_server.client._following import ServerEvent

__all__ = ["Method", "Pages", "SlowMethod", "SlowPages", "SlowStream", "Stream"]

P = ParamSpec("P")
T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., object])


class Sender(Protocol):
    """Sends calls and waits for their answers."""

    def send(self, call: Call[T], /) -> T:
        """The answer of a call."""
        ...


class SlowSender(Protocol):
    """Sends calls, while other tasks go on."""

    async def send(self, call: Call[T], /) -> T:
        """The answer of a call."""
        ...


class Follower(Protocol):
    """Follows streams."""

    def follow(self, call: Call[None], /) -> Generator[ServerEvent, None, None]:
        """The messages of a stream."""
        ...


class SlowFollower(Protocol):
    """Follows streams, while other tasks go on."""

    def follow(self, call: Call[None], /) -> AsyncGenerator[ServerEvent, None]:
        """The messages of a stream."""
        ...


@final
class Method(Generic[P, T]):
    """A method of the client: makes a call of its arguments, and sends it."""

    def __init__(self, make: Callable[P, Call[T]]) -> None:
        self._make = make
        self.__doc__ = make.__doc__

    def __get__(self, client: Sender, _: object = None) -> Callable[P, T]:
        """The method of one client."""

        def method(*args: P.args, **kwargs: P.kwargs) -> T:
            return client.send(self._make(*args, **kwargs))

        return _dressed(method, self._make)


@final
class SlowMethod(Generic[P, T]):
    """The same for the client whose methods are awaited."""

    def __init__(self, make: Callable[P, Call[T]]) -> None:
        self._make = make
        self.__doc__ = make.__doc__

    def __get__(self, client: SlowSender, _: object = None) -> Callable[P, Awaitable[T]]:
        """The method of one client."""

        async def method(*args: P.args, **kwargs: P.kwargs) -> T:
            return await client.send(self._make(*args, **kwargs))

        return _dressed(method, self._make)


@final
class Pages(Generic[P, T]):
    """A method that goes through all pages of a list, one request for each."""

    def __init__(self, make: Callable[P, Call[Any]], item: type[T]) -> None:
        self._make = make
        self.__doc__ = f"Each {item.__name__} of all pages of `{make.__name__}`; `limit` is the size of a page."

    def __get__(self, client: Sender, _: object = None) -> Callable[P, Iterator[T]]:
        """The method of one client."""

        def method(*args: P.args, **kwargs: P.kwargs) -> Iterator[T]:
            call: Call[Page[T]] | None = self._make(*args, **kwargs)
            while call is not None:
                page = client.send(call)
                yield from page.items
                call = call.at(page.next_cursor) if page.next_cursor is not None else None

        return method


@final
class SlowPages(Generic[P, T]):
    """The same for the client whose methods are awaited."""

    def __init__(self, make: Callable[P, Call[Any]], item: type[T]) -> None:
        self._make = make
        self.__doc__ = f"Each {item.__name__} of all pages of `{make.__name__}`; `limit` is the size of a page."

    def __get__(self, client: SlowSender, _: object = None) -> Callable[P, AsyncIterator[T]]:
        """The method of one client."""

        async def method(*args: P.args, **kwargs: P.kwargs) -> AsyncIterator[T]:
            call: Call[Page[T]] | None = self._make(*args, **kwargs)
            while call is not None:
                page = await client.send(call)
                for item in page.items:
                    yield item
                call = call.at(page.next_cursor) if page.next_cursor is not None else None

        return method


@final
class Stream(Generic[P]):
    """A method that follows a stream: makes a call of its arguments, and gives message by message."""

    def __init__(self, make: Callable[P, Call[None]]) -> None:
        self._make = make
        self.__doc__ = make.__doc__

    def __get__(self, client: Follower, _: object = None) -> Callable[P, Generator[ServerEvent, None, None]]:
        """The method of one client."""

        def method(*args: P.args, **kwargs: P.kwargs) -> Generator[ServerEvent, None, None]:
            return client.follow(self._make(*args, **kwargs))

        return _dressed(method, self._make)


@final
class SlowStream(Generic[P]):
    """The same for the client whose methods are awaited."""

    def __init__(self, make: Callable[P, Call[None]]) -> None:
        self._make = make
        self.__doc__ = make.__doc__

    def __get__(self, client: SlowFollower, _: object = None) -> Callable[P, AsyncGenerator[ServerEvent, None]]:
        """The method of one client."""

        def method(*args: P.args, **kwargs: P.kwargs) -> AsyncGenerator[ServerEvent, None]:
            return client.follow(self._make(*args, **kwargs))

        return _dressed(method, self._make)


def _dressed(method: F, make: Callable[..., object]) -> F:
    function: Any = method
    function.__name__, function.__doc__ = make.__name__, make.__doc__
    return method
