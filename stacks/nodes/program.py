"""The cluster program: the blueprint's GPU node pools that are resources of a cloud.

`pulumi up` runs it through stacks/nodes/__main__.py, with the cloud's own credentials and settings
(`aws:region`, `gcp:project`, `azure-native:location`). Configuration (namespace `ziggurat-nodes`):

    blueprint    path of the blueprint file, relative to Pulumi.yaml; the same file as the platform's
"""

from __future__ import annotations

import pulumi

from blueprints import Loaded
from blueprints.pools import is_of_program
from components.clouds import CloudNodePools, CloudNodePoolsArgs
from stacks.program import load_blueprint


def run() -> None:
    """The whole program, from the stack's configuration; pulumi.RunError says what is wrong with that."""
    build(load_blueprint(pulumi.Config("ziggurat-nodes")))


def build(loaded: Loaded) -> None:
    """Registers the node pools, and exports what they are called."""
    blueprint = loaded.blueprint
    if not any(is_of_program(pool) for pool in blueprint.gpu_pools.values()):
        pulumi.warn(
            f"{loaded.path}: no GPU pool has nodes that this program makes (provider eks, aks, or gke with "
            "mode nodePool)"
        )
    pools = CloudNodePools(f"{blueprint.name}-nodes", CloudNodePoolsArgs(blueprint.name, blueprint.gpu_pools))
    pulumi.export("platform", blueprint.name)
    pulumi.export("nodePools", pools.names)
