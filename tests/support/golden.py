"""Golden files: the expected text lies in a file; `pytest --regen` rewrites it, and the diff is reviewed."""

from pathlib import Path

__all__ = ["GOLDEN", "check_golden"]

GOLDEN = Path(__file__).parent.parent / "golden"


def check_golden(path: Path, text: str, *, regenerate: bool) -> None:
    """Assert that `path` holds exactly `text`; a missing file fails unless it is being written."""
    if regenerate:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    expected = path.read_text(encoding="utf-8") if path.exists() else "(no golden file: run pytest --regen)\n"
    assert text == expected, f"{path} differs; look at it, then run pytest --regen"
