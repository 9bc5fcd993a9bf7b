"""Katib."""

from components.versions.model import Image


def _katib(name: str) -> Image:
    return Image("ghcr.io", f"kubeflow/katib/{name}", "v0.19.0")


KATIB_CONTROLLER = _katib("katib-controller")
KATIB_DB_MANAGER = _katib("katib-db-manager")
KATIB_UI = _katib("katib-ui")
"""Its page; with `tuning.host` alone."""
KATIB_COLLECTOR = _katib("file-metrics-collector")
KATIB_EVENTS_COLLECTOR = _katib("tfevent-metrics-collector")
KATIB_ALGORITHMS: dict[str, Image] = {
    "random": _katib("suggestion-hyperopt"),
    "tpe": _katib("suggestion-hyperopt"),
    "grid": _katib("suggestion-optuna"),
    "multivariate-tpe": _katib("suggestion-optuna"),
    "hyperband": _katib("suggestion-hyperband"),
    "bayesianoptimization": _katib("suggestion-skopt"),
    "cmaes": _katib("suggestion-goptuna"),
    "sobol": _katib("suggestion-goptuna"),
}
"""What suggests parameters, by the algorithm's name in an Experiment."""
KATIB_TRIALS: tuple[Image, ...] = tuple(
    dict.fromkeys((KATIB_COLLECTOR, KATIB_EVENTS_COLLECTOR, *KATIB_ALGORITHMS.values()))
)
"""Images of pods, and in pods, that Katib's controller makes."""
KATIB_IMAGES: tuple[Image, ...] = (KATIB_CONTROLLER, KATIB_DB_MANAGER, *KATIB_TRIALS)
