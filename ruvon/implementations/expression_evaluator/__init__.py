"""Evaluators of conditions given as text."""
