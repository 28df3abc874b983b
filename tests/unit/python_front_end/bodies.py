"""Random workflow bodies of the control flow that the front end accepts."""

import random
from dataclasses import dataclass, replace
from textwrap import indent

__all__ = ["Writer", "module_of"]

HEAD = """\
from ruvon import BREAK, CONTINUE, END, flow, step, workflow


class Boom(Exception):
    pass


class Crash(Exception):
    pass


"""


@dataclass(frozen=True)
class Around:
    """What may be written at a place."""

    depth: int = 0
    loop: bool = False
    handler: bool = False
    final: bool = False
    at: str = ""
    stages: tuple[str, ...] = ()


class Writer:
    """Writes one body from a seed; every call of a step has its own number."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.calls = 0
        self.flows = 0

    def call(self) -> str:
        """A step call."""
        self.calls += 1
        return f"await act({self.calls})"

    def test(self) -> str:
        """A condition."""
        return self.chance.choice(
            ["state.n % 2 == 0", "v > 1", "not v", "state.n > v and v < 4", f"{self.call()}", "v in (1, 2)"]
        )

    def block(self, around: Around) -> tuple[str, bool]:
        """A few statements, and whether they end the path; nothing follows a statement that does."""
        lines: list[str] = []
        ends = False
        for _ in range(self.chance.randint(1, 3)):
            text, ends = self.statement(around)
            lines.append(text)
            if ends:
                break
        return "\n".join(lines), ends

    def statement(self, around: Around) -> tuple[str, bool]:
        """One statement and whether the path ends with it."""
        simple = [self.plain, self.plain, self.assign, self.assign, self.exits]
        deep = [self.branching, self.matching, self.for_loop, self.while_loop, self.trying, self.trying, self.flowing]
        made = self.chance.choice(simple if around.depth >= 3 else [*simple, *deep])
        return made(around)

    def plain(self, around: Around) -> tuple[str, bool]:
        return self.chance.choice([self.call(), f"v = {self.call()}", f"state.n = {self.call()}"]), False

    def assign(self, around: Around) -> tuple[str, bool]:
        choices = ["v += 1", "state.n -= 1", "v = state.n", "v, state.n = state.n, v", "v = 3 if state.n else v"]
        return self.chance.choice([*choices, f"v = state.n or {self.call()}"]), False

    def exits(self, around: Around) -> tuple[str, bool]:
        choices = ["raise Boom()", "raise Crash(v)"]
        if not around.final:
            choices += ["return v", "return", f"return {self.call()}"]
        if around.loop:
            choices += ["break", "continue", "continue"]
        if around.handler:
            choices += ["raise"]
        return self.chance.choice(choices), True

    def part(self, around: Around) -> tuple[str, bool]:
        text, ends = self.block(replace(around, depth=around.depth + 1))
        return indent(text, "    "), ends

    def branching(self, around: Around) -> tuple[str, bool]:
        heads = [f"if {self.test()}:"]
        if self.chance.random() < 0.4:
            heads.append(f"elif {self.test()}:")
        if self.chance.random() < 0.5:
            heads.append("else:")
        parts = [self.part(around) for _ in heads]
        text = "\n".join(f"{head}\n{part}" for head, (part, _) in zip(heads, parts, strict=True))
        return text, heads[-1] == "else:" and all(ends for _, ends in parts)

    def matching(self, around: Around) -> tuple[str, bool]:
        subject = self.chance.choice(["v", "state.n", "(v, state.n)", self.call()])
        if subject.startswith("("):
            cases = ["case (1, 2):", "case (0, w):", "case (w, 1) if w > 1:"]
        else:
            cases = ["case 0 | 1:", "case 2 if state.n:", "case int(w):" if self.chance.random() < 0.5 else "case 3:"]
        kept = [item for item in cases if self.chance.random() < 0.8]
        if self.chance.random() < 0.5 or not kept:
            kept.append("case _:")
        parts = [self.part(around) for _ in kept]
        body = "\n".join(f"{case}\n{part}" for case, (part, _) in zip(kept, parts, strict=True))
        return f"match {subject}:\n{indent(body, '    ')}", kept[-1] == "case _:" and all(ends for _, ends in parts)

    def for_loop(self, around: Around) -> tuple[str, bool]:
        text = f"for x in range({self.chance.randint(0, 3)}):\n{self.part(replace(around, loop=True))[0]}"
        return self.with_else(text, around), False

    def while_loop(self, around: Around) -> tuple[str, bool]:
        inner, _ = self.part(replace(around, loop=True))
        self.calls += 1
        fuel = f"state.fuel_{self.calls}"
        text = f"{fuel} = {self.chance.randint(1, 3)}\nwhile {fuel} > 0:\n    {fuel} -= 1\n{inner}"
        return self.with_else(text, around), False

    def with_else(self, text: str, around: Around) -> str:
        """A loop with an `else` that does not end the path, because `break` would be the only way on."""
        part, ends = self.part(around)
        return f"{text}\nelse:\n{part}" if not ends and self.chance.random() < 0.6 else text

    def trying(self, around: Around) -> tuple[str, bool]:
        part, ends = self.part(around)
        text = f"try:\n{part}"
        handlers = [item for item in ("Boom", "(Crash, Boom)", "Exception as err") if self.chance.random() < 0.4]
        caught = True
        for item in handlers:
            part, leaves = self.part(replace(around, handler=True))
            text, caught = f"{text}\nexcept {item}:\n{part}", caught and leaves
        if handlers and not ends and self.chance.random() < 0.5:
            part, ends = self.part(around)
            text += f"\nelse:\n{part}"
        last = False
        if not handlers or self.chance.random() < 0.4:
            part, last = self.part(replace(around, final=True, loop=False, handler=False))
            text += f"\nfinally:\n{part}"
        return text, last or (ends and caught)

    def flowing(self, around: Around) -> tuple[str, bool]:
        self.flows += 1
        at, names = f"at{self.flows}", [f"S{self.flows}{letter}" for letter in "abc"]
        inside = Around(depth=around.depth + 2, final=around.final)
        stages = "\n".join(f'case "{name}":\n{indent(self.stage(inside, at, names, around), "    ")}' for name in names)
        text = f'async for {at} in flow("{names[0]}"):\n    match {at}.step:\n{indent(stages, "        ")}'
        if around.loop:
            text += f"\nif {at}.left(BREAK):\n    break\nif {at}.left(CONTINUE):\n    continue"
        return text, False

    def stage(self, inside: Around, at: str, names: list[str], around: Around) -> str:
        """A call, then somewhere to go on each path."""
        goals = [f'{at}.go("{name}")' for name in names] + ["pass", f"{at}.go(END)"]
        if around.loop:
            goals += [f"{at}.go(BREAK)", f"{at}.go(CONTINUE)"]
        if not around.final:
            goals += ["return v"]
        pick = self.chance.choice
        shape = self.chance.randrange(3)
        if shape == 0:
            return f"{self.call()}\n{pick(goals)}"
        if shape == 1:
            return (
                f"if {self.test()}:\n    {self.call()}\n    {pick(goals)}\nelse:\n    {self.call()}\n    {pick(goals)}"
            )
        return f"try:\n    {self.call()}\nexcept Boom:\n    {pick(goals)}\nelse:\n    {self.call()}\n    {pick(goals)}"


def module_of(seed: int) -> str:
    """A module with one workflow."""
    writer = Writer(seed)
    first, ends = writer.block(Around())
    body = f"v = 0\n{first}" if ends else f"v = 0\n{first}\n{writer.block(Around())[0]}"
    opening = '@step\nasync def act(number): ...\n\n\n@workflow("Random")\nasync def body(state):\n'
    return f"{HEAD}{opening}{indent(body, '    ')}\n"
