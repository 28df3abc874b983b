"""Observers, one module each."""
