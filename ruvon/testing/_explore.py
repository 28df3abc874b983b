"""The crash explorer: a workflow run under every single fault, under pairs of them, and under random schedules.

What may differ from the run without faults is how often bodies ran, and nothing else: every instance ends with the same
status, state, result and error, what was committed is there and never ran again, the steps of each sequence are recorded
in the same order, the same events lie in the outbox, and the outside world is as it should be. Where the outside world is
not, a step was repeated that does not bear it, and the report names it.
"""

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Final, final

from ruvon.testing._judge import Finding, FindingKind, judge
from ruvon.testing._outcome import Outcome
from ruvon.testing._plans import Plans
from ruvon.testing._process import BodyName
from ruvon.testing._report import CrashReport
from ruvon.testing._scenario import Scenario
from ruvon.testing._schedule import Schedule
from ruvon.testing._tally import Tally

__all__ = ["CrashExplorer", "Progress"]

Progress = Callable[[int, int], None]
"""Told how many runs are done, and of how many."""

_AGAIN: Final = 3
"""How often a run is repeated to tell chance from a fault's effect."""


@final
class CrashExplorer:
    """Searches a scenario for a schedule that it does not survive.

    Args:
        scenario: what is run.
        torn: try deaths in the middle of a commit, where the store is a file.
        skewed: let the wall clock be wrong after a death in all random runs, instead of some. How such a run ends is not
            compared, because it may hang on the clock; what was committed must stand whatever the clock says.
        limit: stop after so many different findings.
    """

    def __init__(self, scenario: Scenario, *, torn: bool = False, skewed: bool = False, limit: int = 20) -> None:
        self._scenario = scenario
        self._limit = limit
        self._plans = Plans(
            lambda schedule: scenario.run(schedule).ledger, scenario.workflow_type, torn=torn, skewed=skewed
        )

    def explore(
        self,
        *,
        singles: bool = True,
        pairs: int = 0,
        seeds: int = 0,
        first_seed: int = 0,
        brakes: int = 0,
        progress: Progress | None = None,
        expected: Outcome | None = None,
    ) -> CrashReport:
        """Run everything that was asked for.

        Args:
            singles: every fault at every point, one at a time.
            pairs: at most so many runs that die a second time during the recovery.
            seeds: so many runs under random schedules.
            first_seed: the first of them.
            brakes: over so many bodies processes die until the crash budget is used up, and once less.
            progress: told after each run.
            expected: how the run without faults must end; what it ends with now where nothing is given.
        """
        expected = expected or self._scenario.run()
        tally = self._begun(expected)
        if tally.found:
            return tally.report()
        points = expected.ledger.points
        planned = [*self._plans.singles(points)] if singles else []
        planned += self._plans.brakes(expected.ledger, expected.crash_budget, brakes)
        known = len(planned) + pairs + seeds
        for schedule, calm in self._schedules(expected, planned, pairs, range(first_seed, first_seed + seeds)):
            self._try(schedule, calm, tally)
            if progress is not None:
                progress(tally.runs, max(known, tally.runs))
            if tally.found >= self._limit or tally.is_unsteady:
                tally.stopped = True
                break
        self._single_out(expected, tally)
        return tally.report()

    def _schedules(
        self, expected: Outcome, singles: list[Schedule], pairs: int, seeds: range
    ) -> Iterator[tuple[Schedule, Outcome]]:
        """Everything to run, with the run that each is held against."""
        for schedule in singles:
            yield schedule, expected
        for schedule in islice(self._plans.pairs(expected.ledger.points, pairs), pairs):
            yield schedule, expected
        for seed in seeds:
            calm = self._scenario.run(Schedule(seed=seed))
            yield self._plans.random(seed, calm.ledger.points), calm

    def replay(self, schedule: Schedule) -> CrashReport:
        """Run one schedule, as a report printed it; faults that strike nowhere are named in the report."""
        expected = self._scenario.run(Schedule(seed=schedule.seed))
        tally = Tally(self._scenario.workflow_type, expected, {})
        struck = self._try(schedule, expected, tally, shrinks=False).ledger.struck
        tally.missed = tuple(str(fault) for fault in schedule.faults if not struck[fault])
        self._single_out(expected, tally)
        return tally.report()

    def _begun(self, expected: Outcome) -> Tally:
        """A tally that knows already what is wrong without any fault."""
        again = self._scenario.run()
        tally = Tally(self._scenario.workflow_type, expected, expected.fickle(again, exact=True))
        tally.add(judge(expected, expected, Schedule()))  # what must hold holds without faults, too
        told = [*expected.compared(again), *expected.compared_outside(again)]
        if told:
            tally.add([_unsteady(told[0], Schedule(), expected.fickle(again))])
        return tally

    def _try(self, schedule: Schedule, expected: Outcome, tally: Tally, *, shrinks: bool = True) -> Outcome:
        outcome = self._scenario.run(schedule)
        found = judge(expected, outcome, schedule, strict=not schedule.skew_us)
        if found and not tally.knows(found):
            smallest = self._shrunk(schedule, expected, found) if shrinks else schedule
            if smallest != schedule:
                other = self._scenario.run(smallest)
                again = judge(expected, other, smallest, strict=not smallest.skew_us)
                outcome, schedule, found = (other, smallest, again) if again else (outcome, schedule, found)
            if any(item.kind is FindingKind.DIVERGED for item in found):
                found = self._without_chance(found, expected, outcome, schedule)
        tally.count(outcome, found)
        return outcome

    def _without_chance(
        self, found: list[Finding], expected: Outcome, outcome: Outcome, schedule: Schedule
    ) -> list[Finding]:
        """The findings, or that the same schedule does not give the same run."""
        for first, same in _AGAIN * ((outcome, schedule), (expected, Schedule(seed=schedule.seed))):
            again = self._scenario.run(same)
            told = [*first.compared(again), *first.compared_outside(again)]
            if told:
                return [_unsteady(told[0], same, first.fickle(again))]
        return found

    def _single_out(self, expected: Outcome, tally: Tally) -> None:
        """Repeat alone what was only ever repeated together with others, to see whose fault it is."""
        for name in tally.suspects():
            for schedule in self._plans.alone(expected.ledger, name):
                outcome = self._scenario.run(schedule)
                repeats = outcome.repeats()
                tally.note_alone(repeats, judge(expected, outcome, schedule))
                if len(repeats) == 1 and name in repeats:
                    break

    def _shrunk(self, schedule: Schedule, expected: Outcome, found: list[Finding]) -> Schedule:
        """The schedule without every fault that it does not need to fail in the same way."""
        kinds = {item.kind for item in found}

        def fails(smaller: Schedule) -> bool:
            told = judge(expected, self._scenario.run(smaller), smaller, strict=not smaller.skew_us)
            return bool(kinds & {item.kind for item in told})

        for fault in reversed(schedule.faults):
            if len(schedule.faults) > 1 and fails(smaller := schedule.without(fault)):
                schedule = smaller
        return schedule


def _unsteady(told: str, schedule: Schedule, fickle: dict[BodyName, str]) -> Finding:
    told = told.replace("without the fault", "in another run")
    steps = tuple(fickle)
    cause = fickle[steps[0]] if steps else ""
    return Finding(FindingKind.UNSTEADY, schedule, (), steps, told, cause=cause)
