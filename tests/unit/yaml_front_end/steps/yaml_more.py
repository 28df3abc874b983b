"""A module without step types."""
