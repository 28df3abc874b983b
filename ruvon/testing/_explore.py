"""The crash explorer: a workflow run under every single fault, under pairs of them, and under random schedules.

What may differ from the run without faults is how often bodies ran, and nothing else: every instance ends with the same
status, state, result and error, what was committed is there and never ran again, the steps of each sequence are recorded
in the same order, and the outside world is as it should be. Where the outside world is not, a step was repeated that does
not bear it, and the report names it.
"""

import random
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Final, final

from ruvon.testing._judge import Finding, FindingKind, judge
from ruvon.testing._outcome import Outcome
from ruvon.testing._process import Ledger
from ruvon.testing._report import CrashReport, Tally
from ruvon.testing._scenario import Scenario
from ruvon.testing._schedule import FAULTS_AT, Fault, FaultKind, Point, PointKind, Schedule

__all__ = ["CrashExplorer"]

_SKEWS_US: Final = (0, 0, 1_000_000, -1_000_000, 86_400_000_000, -86_400_000_000, 315_576_000_000_000)
_DEADLY: Final = frozenset({FaultKind.DIE_BEFORE, FaultKind.DIE_AFTER, FaultKind.TORN})

Progress = Callable[[int, int], None]
"""Told how many runs are done, and of how many that are known of."""


@final
class CrashExplorer:
    """Searches a scenario for a schedule that it does not survive.

    Args:
        scenario: what is run.
        torn: try deaths in the middle of a commit, where the store is a file.
        skewed: let the wall clock be wrong after a death in random runs; only for workflows whose end does not hang on it.
        limit: stop after so many findings, or so many runs with findings.
    """

    def __init__(self, scenario: Scenario, *, torn: bool = False, skewed: bool = False, limit: int = 20) -> None:
        self._scenario = scenario
        self._torn = torn
        self._skewed = skewed
        self._limit = limit

    def explore(
        self,
        *,
        singles: bool = True,
        pairs: int = 0,
        seeds: int = 0,
        first_seed: int = 0,
        progress: Progress | None = None,
        expected: Outcome | None = None,
    ) -> CrashReport:
        """Run everything that was asked for.

        Args:
            singles: every fault at every point, one at a time.
            pairs: at most so many runs that die a second time during the recovery.
            seeds: so many runs under random schedules.
            first_seed: the first of them.
            progress: told after each run.
            expected: how the run without faults must end; what it ends with now where nothing is given.
        """
        expected = expected or self._scenario.run()
        tally = Tally(self._scenario.workflow_type, expected)
        for item in judge(expected, expected, Schedule()):  # what must hold holds without faults, too
            tally.add(item)
        if self._is_unsteady(expected, tally):
            return tally.report()
        planned: list[Iterator[Schedule]] = []
        points = expected.ledger.points
        if singles:
            planned.append(self._singles(points))
        if pairs:
            planned.append(islice(self._pairs(points, pairs), pairs))
        known = (2 * len(points) if singles else 0) + pairs + seeds
        done = 0
        for schedule in (item for part in planned for item in part):
            done = self._try(schedule, expected, tally, done, known, progress)
            if self._is_enough(tally):
                return tally.report()
        for seed in range(first_seed, first_seed + seeds):
            calm = self._scenario.run(Schedule(seed=seed))
            schedule = self._random(seed, calm.ledger.points)
            done = self._try(schedule, calm, tally, done, known, progress)
            if self._is_enough(tally):
                break
        return tally.report()

    def _is_enough(self, tally: Tally) -> bool:
        return max(len(tally.findings), tally.failed) >= self._limit

    def replay(self, schedule: Schedule) -> CrashReport:
        """Run one schedule, as a report printed it."""
        expected = self._scenario.run(Schedule(seed=schedule.seed))
        tally = Tally(self._scenario.workflow_type, expected)
        self._try(schedule, expected, tally, 0, 1, None)
        return tally.report()

    def _is_unsteady(self, expected: Outcome, tally: Tally) -> bool:
        """Whether the run without faults does not even agree with itself."""
        again = self._scenario.run()
        told = [*expected.compared(again), *expected.compared_outside(again)]
        for line in told:
            tally.add(Finding(FindingKind.UNSTEADY, Schedule(), (), (), line))
        return bool(told)

    def _try(
        self, schedule: Schedule, expected: Outcome, tally: Tally, done: int, known: int, progress: Progress | None
    ) -> int:
        outcome = self._scenario.run(schedule)
        found = judge(expected, outcome, schedule, strict=not schedule.skew_us)
        if found:
            smallest = self._shrunk(schedule, expected, found)
            if smallest != schedule:
                outcome = self._scenario.run(smallest)
                found = judge(expected, outcome, smallest, strict=not smallest.skew_us) or found
        tally.count(outcome, found)
        if progress is not None:
            progress(done + 1, max(known, done + 1))
        return done + 1

    def _shrunk(self, schedule: Schedule, expected: Outcome, found: list[Finding]) -> Schedule:
        """The schedule without every fault that it does not need to fail in the same way."""
        kinds = {item.kind for item in found}
        for fault in reversed(schedule.faults):
            if len(schedule.faults) == 1:
                break
            smaller = schedule.without(fault)
            told = judge(expected, self._scenario.run(smaller), smaller, strict=not smaller.skew_us)
            if kinds & {item.kind for item in told}:
                schedule = smaller
        return schedule

    # Schedules

    def _faults(self, point: Point) -> Iterator[FaultKind]:
        for kind in FAULTS_AT[point.kind]:
            if kind is not FaultKind.TORN or self._torn:
                yield kind

    def _singles(self, points: list[Point]) -> Iterator[Schedule]:
        for point in points:
            for kind in self._faults(point):
                if kind is not FaultKind.LATE:  # what comes late may rightly find another world
                    yield Schedule((Fault(0, point.number, kind),))

    def _pairs(self, points: list[Point], wanted: int) -> Iterator[Schedule]:
        """Deaths during the recovery from a death, spread over all of them."""
        chance = random.Random(f"{self._scenario.workflow_type}/{wanted}")  # noqa: S311 - repeatable on purpose
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
        ledger: Ledger = self._scenario.run(Schedule((first,))).ledger
        later = [point for point in ledger.points if point.life == 1]
        if not later:
            return None
        point = chance.choice(later)
        kinds = [kind for kind in self._faults(point) if kind in _DEADLY]
        return Fault(1, point.number, chance.choice(kinds))

    def _random(self, seed: int, points: list[Point]) -> Schedule:
        chance = random.Random(f"schedule/{seed}")  # noqa: S311 - repeatable on purpose
        faults: dict[tuple[int, int], Fault] = {}
        life = 0
        for _ in range(chance.randint(1, 4)):
            point = chance.choice(points)
            number = chance.randrange(point.number + 1) if life else point.number
            kinds = [kind for kind in self._faults(point) if kind is not FaultKind.LATE]
            kind = chance.choice(kinds)
            faults.setdefault((life, number), Fault(life, number, kind))
            if kind in _DEADLY:
                life += 1
        skew = chance.choice(_SKEWS_US) if self._skewed else 0
        return Schedule(tuple(sorted(faults.values())), seed, skew)


def commits_of(points: list[Point]) -> int:
    """How many of the points are commits."""
    return sum(point.kind is PointKind.COMMIT for point in points)
