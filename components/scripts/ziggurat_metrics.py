# pyright: basic, reportMissingImports=false
# Runs in MLflow's image.
"""Shows Prometheus how MLflow is. Usage: ziggurat_metrics.py FOLDER PORT URL

What the workers of `mlflow server --expose-prometheus FOLDER` count is added up. MLflow shows that itself,
but to administrators alone, and only to callers that use one of its names.

MLflow 3.17 counts what its Flask application answers. A request that fails for want of the database is
answered before it gets there, and is not counted (tried). So at each scrape URL is asked, too, for which
MLflow looks into the database: without an account, as a refusal is an answer. Below 500 the server works.
"""

import sys
import threading
import time
import urllib.error
import urllib.request

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.multiprocess import MultiProcessCollector

SECONDS = 5  # after which no answer is one


class Probe:
    """What came of one request."""

    def __init__(self, url):
        self.url = url

    def describe(self):
        """Nothing: registering it shall not ask the server."""
        return []

    def collect(self):
        """Asks the server."""
        started = time.monotonic()
        answers = works(self.url)
        took = time.monotonic() - started
        yield GaugeMetricFamily(
            "ziggurat_tracking_up", "Whether MLflow answers, its database included", answers
        )
        yield GaugeMetricFamily("ziggurat_tracking_probe_seconds", "How long it took to find that out", took)


def works(url):
    try:
        with urllib.request.urlopen(url, timeout=SECONDS):  # noqa: S310  # our own
            return 1
    except urllib.error.HTTPError as error:
        return int(error.code < 500)
    except OSError:
        return 0


def main(folder, port, url):
    registry = CollectorRegistry()
    MultiProcessCollector(registry, path=folder)
    registry.register(Probe(url))
    start_http_server(int(port), registry=registry)
    threading.Event().wait()


if __name__ == "__main__":
    main(*sys.argv[1:])
