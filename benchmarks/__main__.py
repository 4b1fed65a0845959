"""``python -m benchmarks [scenario …]``: measure and print tables; the figures also go to ``benchmarks/results``."""

from __future__ import annotations

import argparse
import json
import platform
import time
from pathlib import Path

from benchmarks.scenarios import SCENARIOS, Plan, Row
from benchmarks.servers import available


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument("scenario", nargs="*", help=f"one of {', '.join(SCENARIOS)}; all when none is named")
    parser.add_argument("--repeats", type=int, default=3, help="medians are of so many runs (default 3)")
    parser.add_argument("--servers", default="", help="compare only those whose name contains one of these, by commas")
    options = parser.parse_args()
    unknown = set(options.scenario) - set(SCENARIOS)
    if unknown:
        parser.error(f"unknown scenario {', '.join(unknown)}; there are {', '.join(SCENARIOS)}")
    wanted = options.servers.split(",")
    plan = Plan(options.repeats, [name for name in available() if any(part in name for part in wanted)])
    print(f"servers: {', '.join(plan.servers)}")
    results: dict[str, list[Row]] = {}
    for name in options.scenario or SCENARIOS:
        measure = SCENARIOS[name]
        print(f"\n### {name}\n\n{measure.__doc__}\n", flush=True)
        results[name] = measure(plan)
        print(_table(results[name]), flush=True)
    folder = Path(__file__).parent / "results"
    folder.mkdir(exist_ok=True)
    path = folder / f"{time.strftime('%Y%m%d-%H%M%S')}.json"
    path.write_text(
        json.dumps({"machine": platform.machine(), "python": platform.python_version(), **results}, indent=1)
    )


def _table(rows: list[Row]) -> str:
    heads = list(rows[0])
    cells = [heads, ["---"] * len(heads), *([str(row[head]) for head in heads] for row in rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in cells)


if __name__ == "__main__":
    main()
