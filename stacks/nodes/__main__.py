"""What `pulumi up` runs in this folder."""

import pulumi

from stacks.nodes.program import run

pulumi.require_pulumi_version(">=3.250.0")
run()
