"""What an image, a chart and a source of both are."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Image:
    """A container image at its maker's registry, pinned by its tag."""

    registry: str
    repository: str
    tag: str


@dataclass(frozen=True)
class Definition:
    """A kind of custom resource that a chart brings (its CustomResourceDefinition)."""

    group: str
    versions: tuple[str, ...]
    """Oldest first; the last is the one that is stored."""
    kind: str
    plural: str
    namespaced: bool = False
    kept: bool = False
    """Whether Helm leaves it, and with it every object of the kind, when the release goes: it is among the
    chart's `crds/`, or says `helm.sh/resource-policy: keep`."""


@dataclass(frozen=True)
class Chart:
    """A Helm chart from its maker's own repository, pinned by its version."""

    name: str
    registry: str
    """The host that serves it."""
    path: str
    """Where on the host the repository is."""
    version: str
    oci: bool
    """Whether the repository is an OCI registry; else it serves an `index.yaml`."""
    images: tuple[Image, ...]
    """Every image that its pods run with the values that Ziggurat gives it."""
    definitions: tuple[Definition, ...] = ()


@dataclass(frozen=True)
class ImageSource:
    """Where images and charts are pulled from, and with which Secret."""

    registry: str | None = None
    """A mirror that holds every image under its own repository path; None means the makers' registries."""
    pull_secret: str | None = None
    """A Secret of type `kubernetes.io/dockerconfigjson` in each namespace; None pulls anonymously."""

    def reference(self, image: Image) -> str:
        """What a container's `image` says."""
        return f"{self.repository(image)}:{image.tag}"

    def repository(self, image: Image) -> str:
        """The image without its tag, as values of charts want it."""
        return f"{self.registry or image.registry}/{image.repository}"

    def chart(self, chart: Chart) -> tuple[str, str | None]:
        """What Helm calls the chart, and the repository that it has to be told; None with OCI.

        A mirror holds every chart as an OCI artifact, under its maker's own path.
        """
        if self.registry or chart.oci:
            return f"oci://{self.registry or chart.registry}/{chart.path}/{chart.name}", None
        return chart.name, f"https://{chart.registry}/{chart.path}"
