"""What Ruvon expects of providers, as test suites: subclass one, give it one fixture, and pytest runs all of it on yours.

`PersistenceContract` is for stores: instances, log, history, inbox, outbox, queue, limits, schedules, and that each
transition and each report of a batch stands alone. `ExecutionContract` is for executors; `BackgroundContract` adds what
holds where dispatched functions run beside their caller, two at a time. Ruvon's own providers run the very same suites.

    class TestMyStore(PersistenceContract):
        @pytest.fixture
        def store_factory(self, tmp_path):
            return lambda: MyStore(tmp_path / "db")

Needs pytest, and no plugin of it. The assertions explain themselves as those of your own tests do.
"""

from ruvon.testing.contracts._execution import BackgroundContract, ExecutionContract, builder_with
from ruvon.testing.contracts._persistence import PersistenceContract

__all__ = ["BackgroundContract", "ExecutionContract", "PersistenceContract", "builder_with"]
