"""Loops that make things happen by themselves: planned starts, timers, the outbox, and the end of old runs.

`Scheduler` does all of it over one store. Any number of schedulers may run over one store, in one process or in many: a
planned run is started once, and an instance is driven by one of them at a time. `OutboxRelay` is the part that delivers
events, for those who want it elsewhere.
"""

from ruvon._schedules import Schedules
from ruvon.scheduler._relay import OutboxRelay, Publisher
from ruvon.scheduler._resume import Resumed, resume_all
from ruvon.scheduler._scheduler import Scheduler, Turn

__all__ = ["OutboxRelay", "Publisher", "Resumed", "Scheduler", "Schedules", "Turn", "resume_all"]
