"""What a data scientist does, from a machine outside the cluster, with just what `ziggurat connect` prints.

usage: roundtrip.py [BYTES...]    sizes of the artifacts; prints one JSON object a line: what, seconds
"""

import hashlib
import json
import os
import random
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

import mlflow
from mlflow import MlflowClient

_BLOCK = 1 << 20


@contextmanager
def timed(what):
    start = time.perf_counter()
    yield
    print(json.dumps({"what": what, "seconds": round(time.perf_counter() - start, 3)}), flush=True)


def write_noise(path, size):
    """A file of `size` bytes that do not compress, and its digest."""
    source, digest = random.Random(size), hashlib.sha256()  # noqa: S311  # data, not a secret
    with path.open("wb") as file:
        while size:
            block = source.randbytes(min(_BLOCK, size))
            digest.update(block)
            size -= file.write(block)
    return digest.hexdigest()


def digest_of(path):
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def log_runs(experiment):
    with timed("parent and 3 nested runs, 4 parameters, 400 metrics"), mlflow.start_run() as parent:
        for trial in range(3):
            with mlflow.start_run(nested=True):
                mlflow.log_params({"trial": trial})
        mlflow.log_param("optimizer", "adam")
        for step in range(400):
            mlflow.log_metric("loss", 1 / (step + 1), step=step, synchronous=step % 100 == 0)
        mlflow.flush_async_logging()
    with timed("read them back"):
        client = MlflowClient()
        run = client.get_run(parent.info.run_id)
        assert run.data.params == {"optimizer": "adam"}, run.data.params
        history = client.get_metric_history(run.info.run_id, "loss")
        assert sorted(point.step for point in history) == list(range(400))
        nested = client.search_runs([experiment], f"tags.mlflow.parentRunId = '{run.info.run_id}'")
        assert sorted(run.data.params["trial"] for run in nested) == ["0", "1", "2"]
    return run.info.run_id


def artifact(run_id, folder, size):
    source = folder / f"{size}.bin"
    expected = write_noise(source, size)
    with timed(f"artifact of {size} bytes: up"):
        MlflowClient().log_artifact(run_id, str(source), "data")
    source.unlink()
    with timed(f"artifact of {size} bytes: down"):
        found = mlflow.artifacts.download_artifacts(
            run_id=run_id, artifact_path=f"data/{size}.bin", dst_path=str(folder)
        )
    assert digest_of(Path(found)) == expected, f"{size} bytes came back changed"
    Path(found).unlink()


class Doubler(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input: list[float]) -> list[float]:
        return [2 * value for value in model_input]


def model(name):
    with timed("log and register a model"), mlflow.start_run():
        info = mlflow.pyfunc.log_model(name="model", python_model=Doubler(), registered_model_name=name)
    client = MlflowClient()
    with timed("set an alias, load the model by it"):
        client.set_registered_model_alias(name, "champion", info.registered_model_version)
        loaded = mlflow.pyfunc.load_model(f"models:/{name}@champion")
    assert loaded.predict([1.0, 2.5]) == [2.0, 5.0]


def main(*sizes):
    stamp = f"{int(time.time())}-{os.getpid()}"
    experiment = mlflow.set_experiment(f"roundtrip-{stamp}").experiment_id
    run_id = log_runs(experiment)
    with tempfile.TemporaryDirectory() as folder:
        for size in sizes:
            artifact(run_id, Path(folder), int(size))
    model(f"doubler-{stamp}")


if __name__ == "__main__":
    main(*sys.argv[1:])
