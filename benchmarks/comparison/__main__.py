"""`python -m benchmarks.comparison`: the paper's comparison of systems, one command per row.

    python -m benchmarks.comparison --system=vgan --seed=1 --data=SET --runs=FOLDER    one row
    python -m benchmarks.comparison --bounds --data=SET --runs=FOLDER    rows without training
    python -m benchmarks.comparison --strips=FOLDER --runs=FOLDER        clips side by side
    python -m benchmarks.comparison --table                              prints the table so far
    python -m benchmarks.comparison --document                           writes it into the page

SET is the prepared procedural-skies-64 v1. A row trains (or resumes), is evaluated on all test
clips, and writes its result into benchmarks/comparison/results. The page is docs/comparison.md.
"""

from __future__ import annotations

import argparse

from benchmarks.comparison import row, strips, table
from benchmarks.comparison.systems import SYSTEMS


def main() -> None:
    parser = argparse.ArgumentParser(
        "python -m benchmarks.comparison", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--system", choices=SYSTEMS, help="the row to run")
    parser.add_argument("--seed", type=int, default=1, help="seed of weights and data order")
    parser.add_argument("--bounds", action="store_true", help="score what needs no training")
    parser.add_argument("--data", help="the prepared procedural-skies-64 v1")
    parser.add_argument("--runs", default="runs/comparison", help="folder for the runs")
    parser.add_argument("--strips", metavar="FOLDER", help="draw the clips of all rows there")
    parser.add_argument(
        "--blind", type=int, metavar="SEED", help="with --strips: letters instead of names"
    )
    parser.add_argument("--table", action="store_true", help="print the table so far")
    parser.add_argument("--document", action="store_true", help="update docs/comparison.md")
    given = parser.parse_args()
    if not any((given.system, given.bounds, given.strips, given.table, given.document)):
        parser.error("give one of --system, --bounds, --strips, --table and --document")
    if (given.system or given.bounds) and not given.data:
        parser.error("--system and --bounds need --data")
    if given.system:
        row.run_row(given.system, given.seed, given.data, given.runs)
    if given.bounds:
        row.run_bounds(given.data, given.runs)
    if given.strips:
        for path in strips.draw_strips(given.runs, given.strips, given.blind):
            print(f"wrote {path}")
    if given.table:
        print("\n".join(table.table_lines(table.read_results())))
    if given.document:
        table.update_page()


if __name__ == "__main__":
    main()
