"""Ends what another process has started, when that process is gone, however it went: `kill -9` included.

It reads its standard input: `folder PATH`, `group ID` for a process group that was started, `gone ID` for one that has
ended. At the end of the input it kills the groups that are left and deletes the folder.
"""

import contextlib
import os
import shutil
import signal
import sys
import time


def main() -> None:
    for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(name, signal.SIG_IGN)
    groups: set[int] = set()
    folder = ""
    for line in sys.stdin:
        word, _, rest = line.strip().partition(" ")
        match word:
            case "folder":
                folder = rest
            case "group":
                groups.add(int(rest))
            case "gone":
                groups.discard(int(rest))
    for group in groups:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(group, signal.SIGKILL)
    for _ in range(50):  # a server's helpers write a last file while they notice that it is gone
        shutil.rmtree(folder, ignore_errors=True)
        if not folder or not os.path.isdir(folder):  # noqa: PTH112
            return
        time.sleep(0.1)


if __name__ == "__main__":
    main()
