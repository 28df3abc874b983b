"""Alembic over Ruvon's tables and an application's own: `python -m ruvon.db_schema revision --autogenerate -m "..."`.

Every command of Alembic works, with our history and that of `RUVON_MIGRATIONS`; new revisions go into its first folder.
"""

import os
import sys
from collections.abc import Sequence

from ruvon.db_schema._migrate import config_of

__all__ = ["main"]


def main(arguments: Sequence[str]) -> None:
    """Run one command."""
    from alembic.config import CommandLine  # noqa: PLC0415  # `config_of` has told already when it is not installed

    line = CommandLine(prog="python -m ruvon.db_schema")
    options = line.parser.parse_args(list(arguments))
    if not hasattr(options, "cmd"):
        line.parser.error("which command?")
    own = os.environ.get("RUVON_MIGRATIONS", "").split(os.pathsep)[0]
    if own and getattr(options, "version_path", "") is None:
        options.version_path = own
    config = config_of()
    config.cmd_opts = options
    line.run_cmd(config, options)


if __name__ == "__main__":
    main(sys.argv[1:])
