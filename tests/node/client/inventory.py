"""Everything that a team has on the server, as one JSON object: runs, models, each file's digest."""

import hashlib
import json
import logging
import tempfile
from pathlib import Path

import mlflow
from mlflow import MlflowClient

_ADDED_BY_CLIENT = "registered_model_meta"


def of_run(client, run):
    history = {
        key: [[point.step, point.value] for point in client.get_metric_history(run.info.run_id, key)]
        for key in sorted(run.data.metrics)
    }
    return {"params": run.data.params, "metrics": history, "artifacts": artifacts(client, run.info.run_id)}


def artifacts(client, run_id):
    with tempfile.TemporaryDirectory() as folder:
        for item in client.list_artifacts(run_id):
            mlflow.artifacts.download_artifacts(run_id=run_id, artifact_path=item.path, dst_path=folder)
        return digests(folder)


def digests(folder):
    return {
        str(file.relative_to(folder)): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in sorted(Path(folder).rglob("*"))
        if file.is_file() and file.name != _ADDED_BY_CLIENT
    }


def of_version(version):
    with tempfile.TemporaryDirectory() as folder:
        mlflow.artifacts.download_artifacts(f"models:/{version.name}/{version.version}", dst_path=folder)
        return digests(folder)


def main():
    # The client says why a download failed at this level alone; what it raises tells only the path.
    logging.getLogger("mlflow.store.artifact.runs_artifact_repo").setLevel(logging.DEBUG)
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
