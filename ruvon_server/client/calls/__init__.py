"""The calls of the API: a module for each room, a function for each operation."""
