"""The doubles of tests, each said to be what it stands in for: what a protocol gains is missing here at `make types`.

Nothing here runs; the second check of `make types` (`doubles.ini`) reads it.
"""

from ruvon.providers import Clock, EngineStore, IdSource
from ruvon.providers.persistence import Hold
from ruvon.scheduler import Publisher
from tests.differential.clock import Clock as DrivenClock
from tests.simulation.test_races import LostLocks, NoHold
from tests.support import differential, engine_world
from tests.unit.scheduler.test_relay import Broker


def clocks(jumping: engine_world.JumpingClock, driven: DrivenClock) -> tuple[Clock, ...]:
    """They jump, or wait for others."""
    return jumping, driven


def ids(counted: engine_world.CountedIds, scripted: differential.Ids) -> tuple[IdSource, ...]:
    """The same ones in each run."""
    return counted, scripted


def stores(losing: differential.Store, lost: LostLocks) -> tuple[EngineStore, ...]:
    """They lose their process, or their locks."""
    return losing, lost


def holds(nobody: NoHold) -> tuple[Hold, ...]:
    """It excludes nobody."""
    return (nobody,)


def publishers(outlet: Broker) -> tuple[Publisher, ...]:
    """It keeps what it is given, and refuses what it is told to."""
    return (outlet,)
