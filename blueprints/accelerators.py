"""Kinds of GPU, and which machines of which cloud have how many of them: data, and where it is from.

Sources, all read in November 2026:

- AWS: Karpenter 1.14's page of instance types, generated from EC2's own description of them (x86 alone).
- Google Cloud: the machine types of Google's cluster-toolkit (`machine_mappings.json`), and the types of
  GPU as GKE's label `cloud.google.com/gke-accelerator` has them.
- Azure: sizes that AKS installs NVIDIA's driver on (`supported-gpus.yaml` of Azure's Karpenter), with the
  numbers of GPUs from Azure's list of VM sizes.

Machines of one cloud with the same GPUs are listed from the smallest on: where a blueprint names none, the
first is taken.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Cloud = Literal["aws", "gcp", "azure"]


@dataclass(frozen=True)
class Machine:
    """A type of machine that has GPUs."""

    name: str
    """The instance type (AWS), machine type (Google Cloud) or VM size (Azure)."""
    gpus: int


@dataclass(frozen=True)
class Ec2Gpu:
    """A kind of GPU as Karpenter labels EC2 nodes that have it."""

    name: str
    """`karpenter.k8s.aws/instance-gpu-name`."""
    memory: int
    """`karpenter.k8s.aws/instance-gpu-memory`: MiB of each GPU, which tells two of one name apart."""


@dataclass(frozen=True)
class Accelerator:
    """One kind of GPU."""

    ec2: Ec2Gpu | None = None
    gke: str | None = None
    """The accelerator's type at Google Cloud; None where it has none."""
    attached: bool = False
    """Whether Google Cloud attaches it to a machine of any size (N1), instead of it being part of one."""
    aws: tuple[Machine, ...] = ()
    gcp: tuple[Machine, ...] = ()
    azure: tuple[Machine, ...] = ()

    def machines(self, cloud: Cloud) -> tuple[Machine, ...]:
        """The machines of a cloud that have it."""
        return {"aws": self.aws, "gcp": self.gcp, "azure": self.azure}[cloud]


def _sizes(family: str, gpus: dict[int, str]) -> tuple[Machine, ...]:
    """Instance types of one family: numbers of GPUs, each with the sizes that have so many."""
    return tuple(
        Machine(f"{family}.{size}", count) for count, sizes in gpus.items() for size in sizes.split()
    )


def _each(**gpus: int) -> tuple[Machine, ...]:
    """Machines by name, with `_` for the dashes that a keyword cannot have, and their GPUs."""
    return tuple(Machine(name.replace("_", "-"), count) for name, count in gpus.items())


def _azure(**gpus: int) -> tuple[Machine, ...]:
    return tuple(Machine(f"Standard_{name}", count) for name, count in gpus.items())


_G_SIZES = {1: "xlarge 2xlarge 4xlarge 8xlarge 16xlarge", 4: "12xlarge 24xlarge", 8: "48xlarge"}
_G7_SIZES = {1: "2xlarge 4xlarge 8xlarge", 2: "12xlarge", 4: "24xlarge", 8: "48xlarge"}
_ATTACHED = {1: "n1-standard-4", 2: "n1-standard-8", 4: "n1-standard-16"}

ACCELERATORS: dict[str, Accelerator] = {
    "nvidia-t4": Accelerator(
        Ec2Gpu("t4", 16384),
        "nvidia-tesla-t4",
        attached=True,
        aws=_sizes("g4dn", {1: "xlarge 2xlarge 4xlarge 8xlarge 16xlarge", 4: "12xlarge", 8: "metal"}),
        gcp=tuple(Machine(name, count) for count, name in _ATTACHED.items()),
        azure=_azure(NC4as_T4_v3=1, NC8as_T4_v3=1, NC16as_T4_v3=1, NC64as_T4_v3=4),
    ),
    "nvidia-l4": Accelerator(
        Ec2Gpu("l4", 22888),
        "nvidia-l4",
        aws=_sizes("g6", _G_SIZES),
        gcp=_each(
            g2_standard_4=1,
            g2_standard_8=1,
            g2_standard_12=1,
            g2_standard_16=1,
            g2_standard_32=1,
            g2_standard_24=2,
            g2_standard_48=4,
            g2_standard_96=8,
        ),
    ),
    "nvidia-l40s": Accelerator(Ec2Gpu("l40s", 45776), aws=_sizes("g6e", _G_SIZES)),
    "nvidia-a10": Accelerator(azure=_azure(NV36ads_A10_v5=1, NV72ads_A10_v5=2)),
    "nvidia-a10g": Accelerator(Ec2Gpu("a10g", 22888), aws=_sizes("g5", _G_SIZES)),
    "nvidia-rtx-pro-6000": Accelerator(
        Ec2Gpu("rtx-pro-server-6000", 98304),
        "nvidia-rtx-pro-6000",
        aws=_sizes("g7e", _G7_SIZES),
        gcp=_each(g4_standard_48=1, g4_standard_96=2, g4_standard_192=4, g4_standard_384=8),
    ),
    "nvidia-v100": Accelerator(
        Ec2Gpu("v100", 32768),
        "nvidia-tesla-v100",
        attached=True,
        aws=_sizes("p3dn", {8: "24xlarge"}),
        gcp=tuple(Machine(name, count) for count, name in _ATTACHED.items()),
    ),
    "nvidia-a100-40gb": Accelerator(
        Ec2Gpu("a100", 40960),
        "nvidia-tesla-a100",
        aws=_sizes("p4d", {8: "24xlarge"}),
        gcp=_each(a2_highgpu_1g=1, a2_highgpu_2g=2, a2_highgpu_4g=4, a2_highgpu_8g=8, a2_megagpu_16g=16),
        azure=_azure(ND96asr_v4=8),
    ),
    "nvidia-a100-80gb": Accelerator(
        Ec2Gpu("a100", 81920),
        "nvidia-a100-80gb",
        aws=_sizes("p4de", {8: "24xlarge"}),
        gcp=_each(a2_ultragpu_1g=1, a2_ultragpu_2g=2, a2_ultragpu_4g=4, a2_ultragpu_8g=8),
        azure=_azure(NC24ads_A100_v4=1, NC48ads_A100_v4=2, NC96ads_A100_v4=4, ND96amsr_A100_v4=8),
    ),
    "nvidia-h100-80gb": Accelerator(
        Ec2Gpu("h100", 81920),
        "nvidia-h100-80gb",
        aws=_sizes("p5", {1: "4xlarge", 8: "48xlarge"}),
        gcp=_each(a3_highgpu_1g=1, a3_highgpu_2g=2, a3_highgpu_4g=4, a3_highgpu_8g=8),
        azure=_azure(ND96isr_H100_v5=8),
    ),
    "nvidia-h100-94gb": Accelerator(azure=_azure(NC40ads_H100_v5=1, NC80adis_H100_v5=2)),
    "nvidia-h100-mega-80gb": Accelerator(gke="nvidia-h100-mega-80gb", gcp=_each(a3_megagpu_8g=8)),
    "nvidia-h200-141gb": Accelerator(
        Ec2Gpu("h200", 144384),
        "nvidia-h200-141gb",
        aws=(*_sizes("p5e", {8: "48xlarge"}), *_sizes("p5en", {8: "48xlarge"})),
        gcp=_each(a3_ultragpu_8g=8),
        azure=_azure(ND96isr_H200_v5=8),
    ),
    "nvidia-b200": Accelerator(
        Ec2Gpu("b200", 183359),
        "nvidia-b200",
        aws=_sizes("p6-b200", {8: "48xlarge"}),
        gcp=_each(a4_highgpu_8g=8),
    ),
    "nvidia-b300": Accelerator(Ec2Gpu("b300", 275040), aws=_sizes("p6-b300", {8: "48xlarge"})),
}
"""By the name that `accelerator` of a pool has."""


def machines(cloud: Cloud, accelerator: str, gpus: int) -> tuple[str, ...]:
    """The machines of a cloud with exactly so many GPUs of a kind, from the smallest on."""
    known = ACCELERATORS.get(accelerator)
    return tuple(each.name for each in known.machines(cloud) if each.gpus == gpus) if known else ()


def known_at(cloud: Cloud) -> list[str]:
    """The kinds of GPU that a cloud has."""
    return [name for name, each in ACCELERATORS.items() if each.machines(cloud)]


def counts(cloud: Cloud, accelerator: str) -> list[int]:
    """How many GPUs of a kind the machines of a cloud have."""
    known = ACCELERATORS.get(accelerator)
    return sorted({each.gpus for each in known.machines(cloud)}) if known else []
