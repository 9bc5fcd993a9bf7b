"""What `pulumi up` runs."""

import gc

import pulumi

from stacks.program import run

# Pulumi keeps every task of a run alive: walking them again and again costs a third of the CPU time of a
# platform with many teams.
gc.freeze()
gc.set_threshold(50_000, 50, 50)

pulumi.require_pulumi_version(">=3.250.0")
run()
