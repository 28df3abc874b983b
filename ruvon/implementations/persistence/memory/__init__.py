"""`MemoryPersistenceProvider`: everything in dictionaries, for tests, demonstrations and simulation.

It keeps every promise of the protocol except that nothing survives the process: commits are atomic and fenced by the
revision, holds exclude each other, values are kept as the bytes they were written as. It is the reference that the
contract suite is read against. For use from one event loop.
"""

from ruvon.implementations.persistence.memory._provider import MemoryPersistenceProvider

__all__ = ["MemoryPersistenceProvider"]
