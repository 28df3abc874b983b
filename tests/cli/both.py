"""A command asked of a database, and of a server on that database."""

import difflib
import json
import re
from pathlib import Path
from typing import Any

from ruvon.builder import WorkflowBuilder
from tests.cli.conftest import Command, Done, masked
from tests.support import server_flows

__all__ = ["FLOWS", "URL", "Both"]

URL = "http://ruvon.test:8000"
FLOWS = str(Path(server_flows.__file__))


class Both:
    """A database with runs, and a server on it."""

    def __init__(self, ruvon: Command, place: Path, builder: WorkflowBuilder) -> None:
        self.builder = builder
        self._ruvon = ruvon
        self._place = place

    def here(self, *args: str, given: str = "") -> Done:
        """What a command does on the database."""
        return self._ruvon(*args, "--db", "x.db", given=given)

    def there(self, *args: str, given: str = "") -> Done:
        """What it does on the server."""
        return self._ruvon(*args, "--server", URL, given=given)

    def said(self, done: Done) -> tuple[int, Any, str]:
        """What a command has said, without where it was asked."""
        code = re.escape(masked(FLOWS, self._place))
        place = rf" --db x\.db| --server {re.escape(URL)}| --workflows {code}"
        out = json.dumps(done.json, sort_keys=True, indent=1) if done.out[:2] in {"{\n", "[\n"} else done.out
        if done.out[:2] == '{"':  # an object a line
            out = "\n".join(json.dumps(json.loads(line), sort_keys=True) for line in done.out.splitlines())
        text, err = (re.sub(place, "", masked(item, self._place)) for item in (out, done.err))
        for where in (
            "in this database; see `ruvon list`, or name another database with --db",
            "on this server; see `ruvon list`",
        ):
            err = err.replace(where, "<place>")
        return done.code, text, err

    def difference(self, *args: str, code: int) -> list[str]:
        """Nothing where a command that changes nothing says the same on both, and ends with a code; else what differs."""
        here, there = self.said(self.here(*args)), self.said(self.there(*args))
        if args[0] in {"bulk", "migrate"}:  # what is ready first is told first
            here, there = ((found, sorted(text.splitlines()), err) for found, text, err in (here, there))
        if here == there and here[0] == code:
            return []
        here, there = self.said(self.here(*args)), self.said(self.there(*args))
        told = [[f"code {found}", *text.splitlines(), *err.splitlines()] for found, text, err in (here, there)]
        return [" ".join(args), *difflib.unified_diff(*told, "here", "there", lineterm="", n=0)]
