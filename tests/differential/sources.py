"""Random workflows as source text: every statement kind, bounded, with names that are bound where they are read.

Every call has a tag of its own, by which the outside world decides what it does.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any

from tests.differential import shop
from tests.differential.blocks import Block, Statement, breaks, ends, waits
from tests.differential.shop import FAKES, INSTANT, Approval, Note, State, Stop, behave
from tests.support.differential import Outside, Sent

__all__ = ["initial_of", "outside_of", "program"]


def outside_of(seed: int) -> Outside:
    """The outside world with this seed."""
    rng = Random(seed)
    signals: list[Sent] = []
    for key in ("k", "k1", "k2", "k3", None):
        for number in range(rng.randint(0, 3)):
            event: Any = Note(amount=number) if rng.random() < 0.7 else Stop(by=f"s{number}")
            signals.append(Sent(event, rng.choice((0, rng.randint(1, 20_000_000))), key))
    answers = {
        task: (Approval(amount=rng.randint(0, 9)), rng.randint(100_001, 9_000_000))
        for task in ("t1", "t2", "t3")
        if rng.random() < 0.85
    }
    return Outside(behave, seed, answers, sorted(signals, key=lambda item: item.after_us), INSTANT, FAKES)


def initial_of(seed: int) -> State:
    """An initial state."""
    rng = Random(~seed)
    return State(
        n=rng.randint(0, 9), flag=rng.random() < 0.5, items=[rng.randint(0, 9) for _ in range(rng.randint(0, 4))],
        prices={key: rng.randint(0, 9) for key in ("z", "k", "a")[: rng.randint(1, 3)]},
    )  # fmt: skip


@dataclass
class _Place:
    """What may stand where."""

    ints: list[str] = field(default_factory=list[str])
    lists: list[str] = field(default_factory=list[str])
    loop: bool = False
    """`break` and `continue` may."""
    branch: str = ""
    """The field that a branch may write; empty in the body."""
    final: bool = False
    handler: str | None = None
    """The name of the error of the handler around."""
    in_handler: bool = False
    returns: bool = True
    deep: bool = False
    """In a branch whose join is DEEP."""

    def inner(self, **changes: Any) -> "_Place":
        return replace(self, ints=list(self.ints), lists=[], **changes)


class _Maker:
    def __init__(self, seed: int) -> None:
        self.rng = Random(seed)
        self.count = 0

    # Small things

    def pick(self, *items: Any) -> Any:
        return self.rng.choice(items)

    def odds(self, share: float) -> bool:
        return self.rng.random() < share

    def new(self, base: str) -> str:
        self.count += 1
        return f"{base}{self.count}"

    def span(self) -> str:
        """A duration of its own, so that nothing else is due at the same moment."""
        self.count += 1
        return f"timedelta(milliseconds={self.rng.randint(1, 9) * 1000 + self.count})"

    def tag(self) -> str:
        return f'"{self.new("c")}"'

    def number(self, place: _Place, depth: int = 0) -> str:
        leaves = [
            "state.n",
            "1",
            "2",
            "5",
            "len(state.notes)",
            "state.inner.x",
            "len(state.items)",
            *place.ints,
            *place.ints,
        ]
        leaves += [f"len({name})" for name in place.lists]
        if depth > 1 or self.odds(0.5):
            return str(self.pick(*leaves))
        left, right = self.number(place, depth + 1), self.number(place, depth + 1)
        shapes = (
            "({0} + {1})", "({0} - {1})", "({0} * 2 % 17)", "min({0}, {1})", "max({0}, 3)", "double({0})", "({0} if {1} > 2 else 4)",
            "sum([{0}, {1}])", "abs({0} - {1})", "({0} // {1})" if self.odds(0.1) else "({0} + 1)",
            "state.prices['k']" if self.odds(0.2) else "sum(state.prices.values())",
        )  # fmt: skip
        return str(self.pick(*shapes)).format(left, right)

    def plain(self, place: _Place) -> str:
        """A number that nothing can go wrong with: an argument of a branch, which CPython has before any branch begins."""
        return str(self.pick("state.n", "2", "len(state.items)", "(state.n + 1)", *place.ints))

    def condition(self, place: _Place) -> str:
        left, right = self.number(place, 1), self.number(place, 1)
        shape = self.pick(
            "{0} > {1}",
            "{0} % 2 == 0",
            "state.flag",
            "{0} > 2 and {1} < 9",
            "{0} in (1, 2, 3)",
            'state.name != "s"',
            "not state.flag or {0} < {1}",
        )
        return str(shape).format(left, right)

    # Blocks

    def block(self, place: _Place, size: int, depth: int) -> Block:
        made: Block = []
        for _ in range(size):
            kinds: list[Callable[[_Place, int], Block]] = [self.call] * 4 + [self.assign] * 3 + [self.state_call] * 2
            kinds += [self.wait, self.child, self.grow, self.undoable, self.odd]
            if depth < 3:
                kinds += [
                    self.branching,
                    self.matching,
                    self.loop,
                    self.while_loop,
                    self.trying,
                    self.trying,
                    self.collect,
                ]
                kinds += [self.gather, self.mapped, self.race, self.saga, self.flow]
            if depth:
                kinds += [self.leave]
            if place.handler is not None:
                kinds += [self.tell]
            if place.final:
                kinds = [self.call, self.assign, self.state_call, self.undoable]
            found = self.pick(*kinds)(place, depth)
            made += found
            if ends(made):
                break
        return made

    def inner(self, place: _Place, depth: int, least: int = 1) -> Block:
        return self.block(place, self.rng.randint(least, 3), depth + 1)

    def options(self) -> str:
        if self.odds(0.8):
            return ""
        return str(self.pick(
            ".with_(retry=Retry(max_attempts=2, delay=timedelta(seconds=1)))",
            ".with_(retry=Retry(max_attempts=4, delay=timedelta(seconds=1), backoff=3.0, max_delay=timedelta(seconds=4), on=(Busy, Declined)))",
            ".with_(timeout=timedelta(seconds=2))",
            ".with_(timeout=timedelta(seconds=2), retry=Retry(max_attempts=2, delay=timedelta(seconds=3)))",
        ))  # fmt: skip

    # Simple statements

    def value_call(self, place: _Place) -> str:
        name = self.pick("val", "val", "flaky", "slow", "quick")
        options = self.options() if name != "quick" else ""
        return f"{name}{options}({self.tag()}, {self.number(place)})"

    def call(self, place: _Place, depth: int) -> Block:
        work = self.value_call(place)
        way = self.rng.randint(0, 6)
        if way == 0:
            return [(f"await {work}",)]
        if way == 1:
            return [(f"state.{place.branch or 'n'} = await {work}",)]
        if way == 2:
            number, text = self.new("v"), self.new("text")
            made = (f"{number}, {text} = await couple({self.tag()}, {self.number(place)})",)
            place.ints.append(number)
            return [made]
        if way == 3 and not place.branch:
            return [
                (
                    self.pick(
                        f"state.prices = await table({self.tag()}, {self.number(place)})",
                        f"state.total = await money({self.tag()}, {self.number(place)})",
                        f"state.pair = await couple({self.tag()}, {self.number(place)})",
                    ),
                )
            ]
        name = self.new("v")
        made = (f"{name} = await {work}",)
        place.ints.append(name)
        return [made]

    def assign(self, place: _Place, depth: int) -> Block:
        if self.odds(0.4):
            mine = [
                name
                for name in place.ints[-1:]
                if name.isidentifier() and not name.startswith("turns") and not place.branch
            ]
            name = self.pick(self.new("v"), *mine)
            made = (f"{name} = {self.number(place)}",)
            if name not in place.ints:
                place.ints.append(name)
            return [made]
        number = self.number(place)
        if place.branch:
            return [(f"state.{place.branch} {self.pick('=', '+=')} {number}",)]
        return [(str(self.pick(
            f"state.n = {number}", f"state.n += {number}", f'state.notes.append(f"n{{{number}}}")', f'state.prices["k"] = {number}',
            f'state.prices["x"] = {number}', f"state.inner.x = {number}", f"state.flag = {self.condition(place)}", f"state.items = [{number}, *state.items][:4]",
            'state.name = f"{state.name}!"[-6:]', 'state.inner = Inner(x=state.inner.x + 1, tags=["t"])', f'state.pair = ({number}, "p")',
        )),)]  # fmt: skip

    def tell(self, place: _Place, depth: int) -> Block:
        name = self.new("v")
        made = (f"{name} = await told({self.tag()}, {place.handler})",)
        place.ints.append(name)
        return [made]

    def state_call(self, place: _Place, depth: int) -> Block:
        if place.deep and self.odds(0.7):
            return [(f"await mark(state, {self.tag()}, {self.number(place)})",)]
        if place.branch:
            if place.branch in "ab":
                return [(f"await branch_{place.branch}(state, {self.tag()}, {self.number(place)})",)]
            return self.call(place, depth)
        return [(str(self.pick(
            f"await change(state, {self.tag()})", f"await patch(state, {self.tag()}, {self.number(place)})",
            f"await patch_dict(state, {self.tag()}, {self.number(place)})", f"await stray(state, {self.tag()})",
            f"state = await whole(state, {self.tag()}, {self.number(place)})", f"await whole(state, {self.tag()}, {self.number(place)})",
            f"await change{self.options()}(state, {self.tag()})",
        )),)]  # fmt: skip

    def undoable(self, place: _Place, depth: int) -> Block:
        name = "book" if place.branch or self.odds(0.5) else "charge"
        state = "state, " if name == "charge" else ""
        bound = self.new("receipt")
        made = (f"{bound} = await {name}({state}{self.tag()}, {self.number(place)})",)
        place.ints.append(f"{bound}.n")
        return [made]

    def wait(self, place: _Place, depth: int) -> Block:
        span = self.span()
        way = self.rng.randint(0, 3)
        if way == 0:
            return [(f"await sleep({span})",)]
        name = self.new("got")
        if way == 1:
            key = self.pick('"k1"', '"k2"', "None") if not place.branch else f'"{self.new("k9")}"'
            made = (f"{name} = await receive(Note, key={key}, timeout={span})",)
        else:
            timeout = self.pick("", f", timeout={span}", f", timeout={span}, default=Approval(amount=1)")
            made = (f'{name} = await human("{self.pick("t1", "t2", "t3")}", form=Approval{timeout})',)
        place.ints.append(f"{name}.amount")
        return [made]

    def child(self, place: _Place, depth: int) -> Block:
        name = self.new("v")
        made = (f"{name} = await sub(Job(n={self.number(place)}, tag={self.tag()}))",)
        place.ints.append(name)
        return [made]

    def odd(self, place: _Place, depth: int) -> Block:
        if place.branch:
            return self.assign(place, depth)
        return [(str(self.pick("state.when = now()", "state.ident = new_id()", "state.luck = random()")),)]

    def grow(self, place: _Place, depth: int) -> Block:
        if place.lists:
            return [
                (
                    self.pick(
                        f"{place.lists[-1]}.append({self.number(place)})",
                        f"{place.lists[-1]} += [{self.number(place)}, 1]",
                        f"{place.lists[-1]}.extend(state.items)",
                    ),
                )
            ]
        name = self.new("xs")
        place.lists.append(name)
        return [(f"{name} = []",), (f"{name}.append({self.number(place)})",)]

    def leave(self, place: _Place, depth: int) -> Block:
        ways = (
            ["raise", "return"]
            + (["break", "continue"] * 2 if place.loop else [])
            + (["again"] if place.in_handler else [])
        )
        match self.pick(*ways):
            case "raise":
                text = f'Rejected(f"no {{{self.number(place)}}}", {self.number(place)})'
                cause = f" from {place.handler}" if place.handler and self.odds(0.5) else ""
                return [(f"raise {self.pick(text, 'Busy', text)}{cause}",)]
            case "return":
                return [(f"return {self.number(place)}" if place.returns else "return",)]
            case "again":
                return [("raise",)]
            case other:
                return [(other,)]

    # Compound statements

    def branching(self, place: _Place, depth: int) -> Block:
        parts: list[str | Block] = [f"if {self.condition(place)}:", self.inner(place.inner(), depth)]
        if self.odds(0.3):
            parts += [f"elif {self.condition(place)}:", self.inner(place.inner(), depth)]
        if self.odds(0.5):
            parts += ["else:", self.inner(place.inner(), depth)]
        return [tuple(parts)]

    def matching(self, place: _Place, depth: int) -> Block:
        captured = self.new("m")
        with_name = place.inner()
        with_name.ints.append(captured)
        cases: Block = [
            ("case 0 | 1:", self.inner(place.inner(), depth)),
            ("case 3 if state.flag:", self.inner(place.inner(), depth)),
            (f"case {captured}:", self.inner(with_name, depth)),
        ]
        return [(f"match {self.number(place)}:", cases)]

    def loop(self, place: _Place, depth: int) -> Block:
        item = self.new("item")
        inner = place.inner(loop=True)
        inner.ints.append(item)
        over = self.pick("range(3)", "state.items", "[1, 2, 4]", "[x for x in state.items if x > 2]")
        head = f"for {item} in {over}:"
        if self.odds(0.2):
            index = self.new("index")
            inner.ints.append(index)
            head = f"for {index}, {item} in enumerate({over}):"
        parts: list[str | Block] = [head, [*self.call(inner, depth), *self.inner(inner, depth)]]
        if self.odds(0.3) and breaks(parts[1]):
            parts += ["else:", self.inner(place.inner(), depth)]
        return [tuple(parts)]

    def while_loop(self, place: _Place, depth: int) -> Block:
        turns = self.new("turns")
        inner = place.inner(loop=True)
        inner.ints.append(turns)
        work = [*self.call(inner, depth), *self.inner(inner, depth)]
        if self.odds(0.3):
            ready = f"if await val({self.tag()}, {turns}):"
            return [(f"{turns} = 0",), (f"while {turns} < 3:", [(f"{turns} += 1",), (ready, [("break",)]), *work])]
        return [(f"{turns} = 0",), (f"while {turns} < 3 and ({self.condition(place)}):", [(f"{turns} += 1",), *work])]

    def trying(self, place: _Place, depth: int) -> Block:
        parts: list[str | Block] = ["try:", self.inner(place.inner(), depth)]
        error = self.new("err")
        caught = self.pick(
            "Exception",
            "Rejected",
            "(Declined, KeyError)",
            "(Busy, TimeoutError)",
            "Declined",
            "ZeroDivisionError",
            "Exception",
        )
        if self.odds(0.85):
            named = self.odds(0.7)
            inner = place.inner(handler=error if named else None, in_handler=True)
            body = self.inner(inner, depth, 0)
            if named and not place.branch:
                body = [(f'state.notes.append(f"{{str({error})}}")',), *body]
            parts += [f"except {caught} as {error}:" if named else f"except {caught}:", body]
            if self.odds(0.2) and caught != "Exception":
                parts += ["except Exception:", self.inner(place.inner(in_handler=True, handler=None), depth, 0)]
            if self.odds(0.3):
                parts += ["else:", self.inner(place.inner(), depth)]
        if len(parts) == 2 or self.odds(0.3):
            parts += ["finally:", self.inner(place.inner(final=True, loop=False), depth)]
        return [tuple(parts)]

    def saga(self, place: _Place, depth: int) -> Block:
        scope = ("async with saga():", [*self.undoable(place.inner(), depth), *self.inner(place.inner(), depth)])
        if self.odds(0.7):
            error = self.new("err")
            return [
                (
                    "try:",
                    [scope],
                    f"except Exception as {error}:",
                    self.inner(place.inner(handler=error, in_handler=True), depth, 0),
                )
            ]
        return [scope]

    def flow(self, place: _Place, depth: int) -> Block:
        """Three stages, the second of which may lead back."""
        if place.branch or place.final or place.in_handler:
            return self.call(place, depth)
        turns, at = self.new("turns"), self.new("at")
        first, second, third = (self.new("stage") for _ in range(3))

        def stage(*last: Statement) -> Block:
            inside = place.inner(loop=False, returns=False)
            inside.ints.append(turns)
            named = self.assign(inside, depth)  # the first node has the stage's name, which no error is to show
            return [*named, *self.call(inside, depth), *last]

        def go(left: str, right: str, condition: str) -> Statement:
            return (f"if {condition}:", [(f'{at}.go("{left}")',)], "else:", [(f'{at}.go("{right}")',)])

        cases: Block = [
            (f'case "{first}":', stage((f"{turns} += 1",), go(second, third, self.condition(place)))),
            (f'case "{second}":', stage(go(first, third, f"{turns} < 3"))),
            (f'case "{third}":', stage()),
        ]
        return [(f"{turns} = 0",), (f'async for {at} in flow("{first}"):', [(f"match {at}.step:", cases)])]

    # Concurrency

    def collect(self, place: _Place, depth: int) -> Block:
        name, item = self.new("xs"), self.new("item")
        inner = place.inner()
        inner.ints.append(item)
        made = (
            f"{name} = [await {self.value_call(inner)} for {item} in state.items{self.pick('', f' if {item} > 2')}]",
        )
        place.ints.append(f"len({name})")
        return [made]

    def gather(self, place: _Place, depth: int) -> Block:
        made: Block = []
        works: list[str] = []
        free = ["a", "b", "c"] if not place.branch else []
        deep = not place.branch and self.odds(0.3)
        named: list[str] = []
        for _ in range(self.rng.randint(2, 3)):
            if free and self.odds(0.55):
                name = self.new("branch")
                inner = place.inner(
                    branch=free.pop(0), loop=False, handler=None, in_handler=False, returns=True, deep=deep
                )
                if self.odds(0.2):
                    inner = replace(inner, branch="a")
                body = [(f"await val({self.tag()}, {self.number(inner)})",), *self.inner(inner, depth)]
                if not ends(body):
                    body = [*body, (f"return {self.number(inner)}",)]
                made.append((f"async def {name}() -> int:", body))
                works.append(f'after({name}(), "{self.pick(*named)}")' if named and self.odds(0.4) else f"{name}()")
                named.append(name)
            else:
                works.append(f"val({self.tag()}, {self.plain(place)})")
        options = self.pick(
            "",
            "",
            ", limit=1",
            ", limit=2",
            ", conflict=MergeConflictBehavior.PREFER_NEW",
            ", conflict=MergeConflictBehavior.PREFER_EXISTING",
            ", merge_function=combine" if not place.branch else "",
        )
        if deep and "merge_function" not in options:
            options += ", merge=MergeStrategy.DEEP"
        if self.odds(0.2):
            name = self.new("batch")
            made.append((f"{name} = await gather({', '.join(works)}, partial=True{options})",))
            place.ints += [f"len({name}.ok)", f"len({name}.failed)"]
            return made
        names = [self.new("v") for _ in works]
        if self.odds(0.2):
            made.append((f"await gather({', '.join(works)}{options})",))
            return made
        made.append((f"{', '.join(names)} = await gather({', '.join(works)}{options})",))
        place.ints += names
        return made

    def mapped(self, place: _Place, depth: int) -> Block:
        item = self.new("item")
        inner = place.inner()
        inner.ints.append(item)
        options = self.pick("", ", limit=2", ", batch_size=2")
        made: Block = []
        if self.odds(0.5):
            work = self.pick(
                f"val({self.tag()}, {item})",
                f"flaky({self.tag()}, {item})",
                f"book({self.tag()}, {item})",
                f"sub(Job(n={item}, tag={self.tag()}))",
            )
        else:
            name = self.new("each")
            nested = place.inner(branch="none", loop=False, handler=None, in_handler=False, returns=True)
            nested.ints.append(item)
            body = [
                (f"await val({self.tag()}, {item})",),
                *self.call(nested, depth),
                *self.undoable(nested, depth),
                (f"return {self.number(nested)}",),
            ]
            body = [line for line in body if "state.none" not in str(line[0])]
            made.append((f"async def {name}({item}: int) -> int:", body))
            work = f"{name}({item})"
        found = self.new("found")
        if self.odds(0.3):
            tolerate = self.pick("", ", tolerate=0.4")
            made.append(
                (f"{found} = await gather(*({work} for {item} in state.items), partial=True{tolerate}{options})",)
            )
            place.ints += [f"len({found}.ok)", f"len({found}.failed)"]
        else:
            made.append(
                (f"{found} = await gather(*({work} for {item} in {self.pick('state.items', 'range(3)')}){options})",)
            )
            place.ints.append(f"len({found})")
        return made

    def race(self, place: _Place, depth: int) -> Block:
        span = self.span()
        key = self.pick('"k"', '"k3"') if not place.branch else f'"{self.new("k9")}"'
        made: Block = []
        works = [f"receive(Note, key={key})", f"sleep({span})"]
        won = self.new("won")
        cases: Block = [
            (f"case Note(amount={won}_of):", [(f"{won} = {won}_of",)]),
            ("case Elapsed():", [(f"{won} = 1",)]),
        ]
        if self.odds(0.4):
            works.insert(0, f"receive(Stop, key={key})")
            cases.append(("case Stop():", [(f"{won} = 2",)]))
        if self.odds(0.4):
            name = self.new("path")
            inner = place.inner(branch=place.branch or "c", loop=False, handler=None, in_handler=False, returns=True)
            body = [*self.wait(inner, depth), *self.call(inner, depth), *self.inner(inner, depth, 0)]
            if not ends(body):
                body = [*body, (f"return {self.number(inner)}",)]
            made.append((f"async def {name}() -> int:", body))
            works.append(f"{name}()")
            cases.append((f"case int() as {won}:", []))
        elif self.odds(0.4):  # against a timer only: a message that lies there decides before the child has begun
            works = [f"sleep({span})", f"sub(Job(n={self.plain(place)}, tag={self.tag()}))"]
            cases = [("case Elapsed():", [(f"{won} = 1",)]), (f"case int() as {won}:", [])]
        made.append((f"match await first_of({', '.join(works)}):", cases))
        place.ints.append(won)
        return made


def program(seed: int) -> tuple[Block, str]:
    """A workflow's body and its decorator's options."""
    maker = _Maker(seed)
    place = _Place()
    block = maker.block(place, maker.rng.randint(2, 7), 0)
    if not ends(block) and maker.odds(0.2) and not waits(block):
        block.append(("if state.c < 2:", [("state.c += 1",), ("generated.restart(state)",)]))
    if not ends(block):
        block.append((f"return {maker.number(place)}",))
    return block, maker.pick("", ", saga=True", ", saga=True", ", strict_results=False")


assert shop.State is State
