"""Loads the newest version of a model, uses it, and tells of the run that made it, as one JSON object.

usage: scientist.py MODEL
"""

import json
import sys

import mlflow
from mlflow import MlflowClient
from sklearn.datasets import load_digits


def main(name):
    client = MlflowClient()
    versions = client.search_model_versions(f"name = '{name}'")
    newest = max(versions, key=lambda version: int(version.version))
    run = client.get_run(newest.run_id)
    digits = load_digits()
    found = mlflow.pyfunc.load_model(f"models:/{name}/{newest.version}").predict(digits.data / 16)
    shown = {
        "versions": len(versions),
        "run": newest.run_id,
        "experiment": client.get_experiment(run.info.experiment_id).name,
        "status": run.info.status,
        "parameters": run.data.params,
        "accuracy": run.data.metrics["accuracy"],
        "right": float((found == digits.target).mean()),
        "tags": {key: value for key, value in run.data.tags.items() if key.startswith("mlflow.")},
    }
    print(json.dumps(shown))


main(*sys.argv[1:])
