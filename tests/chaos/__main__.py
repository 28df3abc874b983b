"""`make chaos`: thousands of runs while stores, brokers, workers and applications are killed; see `--help`."""

import argparse
import asyncio
import logging
import random
import signal
import sys

from tests.chaos.fleets import KINDS
from tests.chaos.run import Options, Outcome, chaos


def options() -> Options:
    """What the command line says."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--runs", type=int, default=5000, help="workflows, over all stores")
    parser.add_argument("--seconds", type=float, default=900, help="so long things are killed at most")
    parser.add_argument("--settle", type=float, default=600, help="so long what is left may take afterwards")
    parser.add_argument(
        "--seed", type=int, default=None, help="decides what is killed when; drawn where it is not given"
    )
    parser.add_argument("--store", choices=KINDS, action="append", help="a fleet; all three where none is given")
    parser.add_argument(
        "--broker",
        choices=("redis", "rabbitmq"),
        default="redis",
        help="of the fleet celery: a Redis of its own, or the RabbitMQ of RUVON_TEST_RABBITMQ_URL, which is not killed",
    )
    parser.add_argument("--pause", type=float, nargs=2, default=(5.0, 20.0), metavar=("FROM", "TO"), help="seconds")
    parser.add_argument("--keep", action="store_true", help="leave the folder with the logs")
    found = parser.parse_args()
    seed = random.SystemRandom().randrange(1_000_000) if found.seed is None else found.seed
    return Options(
        found.runs,
        found.seconds,
        found.settle,
        seed,
        tuple(found.store or KINDS),
        tuple(found.pause),
        broker=found.broker,
        keep=found.keep,
    )


async def whole(wanted: Options) -> Outcome:
    """The run, within its deadline; SIGTERM ends it like Ctrl-C."""
    task = asyncio.ensure_future(chaos(wanted))
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    async with asyncio.timeout(2 * wanted.seconds + wanted.settle + 300):
        return await task


def main() -> int:
    """1 where something was lost, done twice, or never came to its end."""
    wanted = options()
    logging.disable()  # what the drivers of the stores say of servers that are away
    try:
        outcome = asyncio.run(whole(wanted))
    except (KeyboardInterrupt, asyncio.CancelledError):
        sys.stderr.write("interrupted; everything is cleaned up\n")
        return 130
    well = not outcome.tally.problems and outcome.tally.runs == wanted.runs
    end = "nothing was lost, and nothing was done twice" if well else f"NOT in order; again with --seed {wanted.seed}"
    sys.stdout.write("\n".join(["", *outcome.lines(), "", end, ""]))
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main())
