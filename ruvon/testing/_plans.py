"""Which schedules of faults are tried: single ones, deaths during the recovery from a death, and random ones."""

import random
from collections.abc import Callable, Iterator
from typing import Final, final

from ruvon.testing._process import BodyName, Ledger
from ruvon.testing._schedule import FAULTS_AT, Fault, FaultKind, Point, Schedule

__all__ = ["Plans"]

_SKEWS_US: Final = (1_000_000, -1_000_000, 86_400_000_000, -86_400_000_000, 315_576_000_000_000)
_SKEWED_OF: Final = 5
_DEADLY: Final = frozenset({FaultKind.DIE_BEFORE, FaultKind.DIE_AFTER, FaultKind.DIE_LATE, FaultKind.TORN})
_DRAWN_ONLY: Final = frozenset({FaultKind.LATE, FaultKind.DIE_LATE})
"""What comes late may rightly find another world, so lateness is drawn by a seed and is there without faults, too."""


@final
class Plans:
    """Makes schedules.

    Args:
        run: runs one, to see which points its recovery reaches.
        name: tells scenarios apart.
        torn: deaths in the middle of a commit are possible.
        skewed: every random schedule has a wrong clock, instead of some of them.
    """

    def __init__(self, run: Callable[[Schedule], Ledger], name: str, *, torn: bool, skewed: bool) -> None:
        self._run = run
        self._name = name
        self._torn = torn
        self._skewed = skewed

    def singles(self, points: list[Point]) -> Iterator[Schedule]:
        """Every fault at every point, one at a time."""
        for point in points:
            for kind in self._faults(point):
                if kind not in _DRAWN_ONLY:
                    yield Schedule((Fault(0, point.number, kind),))

    def pairs(self, points: list[Point], wanted: int) -> Iterator[Schedule]:
        """Deaths during the recovery from a death, spread over all of them."""
        chance = random.Random(f"{self._name}/{wanted}")  # noqa: S311 - repeatable on purpose
        deaths = [(point, kind) for point in points for kind in self._faults(point) if kind in _DEADLY]
        chance.shuffle(deaths)
        while deaths:
            for point, kind in deaths:
                first = Fault(0, point.number, kind)
                second = self._second(first, chance)
                if second is not None:
                    yield Schedule((first, second))
            if len(deaths) * len(points) < wanted:
                return

    def _second(self, first: Fault, chance: random.Random) -> Fault | None:
        later = [point for point in self._run(Schedule((first,))).points if point.life == 1]
        if not later:
            return None
        point = chance.choice(later)
        kinds = [kind for kind in self._faults(point) if kind in _DEADLY]
        return Fault(1, point.number, chance.choice(kinds))

    def random(self, seed: int, points: list[Point]) -> Schedule:
        """Up to four faults, with bodies, commits and messages that take their time, and now and then a wrong clock."""
        chance = random.Random(f"schedule/{seed}")  # noqa: S311 - repeatable on purpose
        faults: dict[tuple[int, int], Fault] = {}
        life = 0
        for _ in range(chance.randint(1, 4)):
            point = chance.choice(points)
            number = chance.randrange(point.number + 1) if life else point.number
            kind = chance.choice([kind for kind in self._faults(point) if kind is not FaultKind.LATE])
            faults.setdefault((life, number), Fault(life, number, kind))
            if kind in _DEADLY:
                life += 1
        skewed = self._skewed or chance.randrange(_SKEWED_OF) == 0
        return Schedule(tuple(sorted(faults.values())), seed, chance.choice(_SKEWS_US) if skewed else 0)

    def brakes(self, ledger: Ledger, budget: int | None, wanted: int) -> Iterator[Schedule]:
        """Deaths over one and the same body, once fewer than the crash budget allows, and as often; so many bodies."""
        if budget is None:
            return
        chance = random.Random(f"{self._name}/brakes/{wanted}")  # noqa: S311 - repeatable on purpose
        for body in chance.sample(ledger.bodies, min(wanted, len(ledger.bodies))):
            kind = chance.choice((FaultKind.DIE_BEFORE, FaultKind.DIE_AFTER))
            for times in (budget - 1, budget):
                if times:
                    yield Schedule((Fault(0, body.point, kind, times),))

    def alone(self, ledger: Ledger, name: BodyName) -> Iterator[Schedule]:
        """Deaths that repeat one body, when whatever ran beside it has been committed."""
        for body in ledger.bodies:
            if body.name == name and body.life == 0:
                yield Schedule((Fault(0, body.point, FaultKind.DIE_LATE),))

    def _faults(self, point: Point) -> Iterator[FaultKind]:
        for kind in FAULTS_AT[point.kind]:
            if kind is not FaultKind.TORN or self._torn:
                yield kind
