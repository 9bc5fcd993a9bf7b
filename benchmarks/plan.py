"""How long a plan takes and how much memory it needs, as a platform grows.

    python benchmarks/plan.py                       10, 100, 300 and 1000 teams, each in a process of its own
    python benchmarks/plan.py --teams 1000 --profile 30     where the time goes

Each line: teams, objects, seconds of CPU to load, to record and to check, CPU per object, and the peak of
memory of the whole process. CPU time is told as well as wall time, as other work may share the machine.
"""

from __future__ import annotations

import argparse
import cProfile
import pstats
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TEAMS = (10, 100, 300, 1000)
HEADING = "teams  objects  load s  plan s  wall s  ms/object  peak MiB"


def blueprint(teams: int) -> str:
    """A starter blueprint with so many teams."""
    names = "".join(f"  team-{index}: {{quota: {{cpu: 8, memory: 32Gi}}}}\n" for index in range(teams))
    return f"apiVersion: ziggurat/v1\nname: bench\nphase: starter\nteams:\n{names}"


def measure(teams: int, profile: int = 0) -> str:
    """Plans once in this process; the line of figures."""
    from blueprints import load
    from ziggurat.plan import plan

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "blueprint.yaml"
        file.write_text(blueprint(teams))
        started = time.process_time()
        loaded = load(file)
        loading = time.process_time() - started
    profiler = cProfile.Profile() if profile else None
    started, wall = time.process_time(), time.perf_counter()
    planned = profiler.runcall(plan, loaded) if profiler else plan(loaded)
    planning, wall = time.process_time() - started, time.perf_counter() - wall
    if profiler:
        pstats.Stats(profiler).sort_stats("tottime").print_stats(profile)
    objects = len(planned.objects)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    each = 1000 * planning / objects
    return f"{teams:5}  {objects:7}  {loading:6.2f}  {planning:6.2f}  {wall:6.2f}  {each:9.2f}  {peak:8.0f}"


def main() -> None:
    """Measures each size in a process of its own, so that peaks of memory do not add up."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--teams", type=int, help="measure this one size, in this process")
    parser.add_argument("--profile", type=int, default=0, metavar="LINES", help="show where the time goes")
    options = parser.parse_args()
    if options.teams:
        line = measure(options.teams, options.profile)
        print(f"{HEADING}\n{line}")
        return
    print(HEADING, flush=True)
    for teams in TEAMS:
        done = subprocess.run(
            [sys.executable, __file__, "--teams", str(teams)], capture_output=True, text=True, check=True
        )
        print(done.stdout.splitlines()[-1], flush=True)


if __name__ == "__main__":
    main()
