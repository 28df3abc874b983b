"""Examples: each folder is a package with a workflow in both forms, its steps, and a `python -m` demonstration."""
