"""Tools to test workflows with: a harness with virtual time, and a crash explorer.

`TestHarness` runs workflows in memory, with stubs for steps and a clock that jumps. `CrashExplorer` runs one under every
crash that could happen and says what it does not survive. Everything is deterministic: the same seed gives the same run.
"""

from ruvon.testing._crash_test import assert_crash_safe, crash_test
from ruvon.testing._errors import HarnessError, ScriptError
from ruvon.testing._explore import CrashExplorer
from ruvon.testing._harness import HarnessRun, TestHarness
from ruvon.testing._ids import SeededIds
from ruvon.testing._judge import Finding, FindingKind
from ruvon.testing._loop import StuckError, VirtualClock, VirtualLoop, run_virtual
from ruvon.testing._outcome import Outcome
from ruvon.testing._outside import OutsideWorld
from ruvon.testing._process import InjectedFaultError
from ruvon.testing._report import CrashReport, StepVerdict
from ruvon.testing._scenario import Scenario
from ruvon.testing._schedule import Fault, FaultKind, Point, PointKind, Schedule, ScheduleError
from ruvon.testing._script import Script, ScriptedSignal
from ruvon.testing._stores import MemoryStores, SQLiteStores, Stores
from ruvon.testing._stubs import RecordedCall, Stub
from ruvon.testing._words import describe

__all__ = [
    "CrashExplorer",
    "CrashReport",
    "Fault",
    "FaultKind",
    "Finding",
    "FindingKind",
    "HarnessError",
    "HarnessRun",
    "InjectedFaultError",
    "MemoryStores",
    "Outcome",
    "OutsideWorld",
    "Point",
    "PointKind",
    "RecordedCall",
    "SQLiteStores",
    "Scenario",
    "Schedule",
    "ScheduleError",
    "Script",
    "ScriptError",
    "ScriptedSignal",
    "SeededIds",
    "StepVerdict",
    "Stores",
    "Stub",
    "StuckError",
    "TestHarness",
    "VirtualClock",
    "VirtualLoop",
    "assert_crash_safe",
    "crash_test",
    "describe",
    "run_virtual",
]
