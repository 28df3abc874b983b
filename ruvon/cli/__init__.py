"""The `ruvon` command."""

__all__ = ["main"]


def main() -> None:
    """Entry point of the `ruvon` command; a user's mistake never shows a traceback."""
    from ruvon.cli._app import run  # noqa: PLC0415  # `import ruvon.cli` stays free of the command machinery

    run()
