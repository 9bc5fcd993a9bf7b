"""Everything that a team has on the server, as one JSON object: runs, models, each file's digest."""

import hashlib
import json
import sys
import tempfile
import time
from pathlib import Path

import mlflow
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

_ADDED_BY_CLIENT = "registered_model_meta"
_BROKEN = ("Connection broken", "Connection aborted", "Connection refused")


def of_run(client, run):
    history = {
        key: [[point.step, point.value] for point in client.get_metric_history(run.info.run_id, key)]
        for key in sorted(run.data.metrics)
    }
    return {"params": run.data.params, "metrics": history, "artifacts": artifacts(client, run.info)}


def artifacts(client, info):
    with tempfile.TemporaryDirectory() as folder:
        for item in client.list_artifacts(info.run_id):
            # Not by `runs:/`, which says that a download failed, and not why.
            download(f"{info.artifact_uri}/{item.path}", folder)
        return digests(folder)


def download(uri, folder):
    """A forwarded connection that ends takes the download with it; its user starts both anew. What the
    server itself answers is final: it reads the whole file before it sends the first byte."""
    for left in (2, 1, 0):
        try:
            mlflow.artifacts.download_artifacts(uri, dst_path=folder)
        except MlflowException as error:
            if not left or not any(word in str(error) for word in _BROKEN):
                raise
            sys.stderr.write(f"tried again: {error}\n")
            time.sleep(3)
        else:
            return


def digests(folder):
    return {
        str(file.relative_to(folder)): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in sorted(Path(folder).rglob("*"))
        if file.is_file() and file.name != _ADDED_BY_CLIENT
    }


def of_version(version):
    with tempfile.TemporaryDirectory() as folder:
        download(f"models:/{version.name}/{version.version}", folder)
        return digests(folder)


def main():
    client = MlflowClient()
    experiments = client.search_experiments()
    runs = {
        run.info.run_id: of_run(client, run)
        for experiment in experiments
        for run in client.search_runs([experiment.experiment_id], max_results=1000)
    }
    models = {
        model.name: {
            "aliases": {name: str(version) for name, version in model.aliases.items()},
            "versions": {
                str(version.version): of_version(version)
                for version in client.search_model_versions(f"name = '{model.name}'")
            },
        }
        for model in client.search_registered_models()
    }
    names = sorted(experiment.name for experiment in experiments)
    print(json.dumps({"experiments": names, "runs": runs, "models": models}, sort_keys=True))


main()
