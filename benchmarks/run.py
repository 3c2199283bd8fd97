"""Benchmarks: what hepcuts takes against what a user would do otherwise, in one run on one machine.

    pip install -e ".[bench]"
    python benchmarks/run.py [--output results.json] [CASE ...]

Compile time (the first call) is shown apart from run time (median of later calls). Ratios are other over hepcuts, so
that larger is better. Absolute times depend on the machine, and a busy one spoils ratios, too: tools take turns, and
beside the ratio of medians stands that of each tool's fastest call, which suffers least. Reference packages that are
missing are named in the rows that they would have filled.
"""

import argparse
import functools
import json
import os
import sys
import warnings
from pathlib import Path

import events
import imports
import likelihood
import optimizers
import published
import scores
import small_samples
import versions
from report import Result, environment, show
from session import Session

CASES = (
    likelihood.CASES
    | published.CASES
    | events.CASES
    | optimizers.CASES
    | small_samples.CASES
    | scores.CASES
    | imports.CASES
    | versions.CASES
)


def main() -> None:
    """Run the cases named on the command line, or all."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--output", type=Path, help="write the results as JSON, too")
    parser.add_argument(
        "cases", nargs="*", choices=[*CASES, []], metavar="CASE", help=f"all, or of: {', '.join(CASES)}"
    )
    parser.add_argument("--rounds", type=int, default=3, help="how often the tools of a case take turns (%(default)s)")
    parser.add_argument(
        "--budget", type=float, default=60.0, help="seconds for the searches of ten cuts that go on (%(default)s)"
    )
    parser.add_argument(
        "--baseline", default=os.environ.get("HEPCUTS_BASELINE"), help="folder of a checkout to compare with"
    )
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    about, results = environment(), dict[str, Result]()
    print(f"{about['cores']} cores; load before the start {about['load']}: times mean little on a busy machine")
    for name in arguments.cases or CASES:
        session = Session(functools.partial(_progress, name), arguments.rounds, arguments.budget, arguments.baseline)
        results[name] = CASES[name](session)
        _progress()
        show(name, results[name])
        if arguments.output:  # after each case, so that an interrupted run leaves what it has
            found = {"environment": about, "cases": {key: value.as_json() for key, value in results.items()}}
            arguments.output.write_text(json.dumps(found, indent=1) + "\n")


def _progress(case: str = "", step: str = "") -> None:
    """Say on a terminal what is going on, in one line that the next replaces; without arguments clear it."""
    if sys.stderr.isatty():
        print(f"\r\033[K{case}: {step} ..." if case else "\r\033[K", end="", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
