"""Stores of workflows, one module each."""
