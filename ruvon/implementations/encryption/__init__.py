"""Encryption at rest: what is the author's is closed on its way into a store, whichever store it is."""

from ruvon.implementations.encryption._box import Box
from ruvon.implementations.encryption._keys import FileKeys, KeyRing, keys_from_environment, new_key
from ruvon.implementations.encryption._rotation import Rotation, RotationReport, TableCount
from ruvon.implementations.encryption._store import EncryptedPersistence, encrypting, guarded, inner_store
from ruvon.implementations.encryption._survey import KeySurvey, survey

__all__ = [
    "Box",
    "EncryptedPersistence",
    "FileKeys",
    "KeyRing",
    "KeySurvey",
    "Rotation",
    "RotationReport",
    "TableCount",
    "encrypting",
    "guarded",
    "inner_store",
    "keys_from_environment",
    "new_key",
    "survey",
]
