"""Executors of step bodies, one module each."""
