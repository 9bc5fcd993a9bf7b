"""What containers ask for."""

from blueprints.model.base import Part
from blueprints.model.scalars import Cpu, Memory


class Resources(Part):
    """What a container asks for."""

    cpu: Cpu
    """CPU request, in cores."""
    memory: Memory
    """Memory request."""
    memory_limit: Memory
    """The memory at which the container is ended."""
