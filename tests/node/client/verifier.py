"""Compares what the server has with what it acknowledged, as one JSON object.

usage: verifier.py NOTES [UNTIL]
UNTIL, in seconds since the epoch: what was acknowledged later is not missed; `later` is what of it is there.
"""

import json
import sys
import tempfile
from pathlib import Path

import mlflow
from mlflow import MlflowClient


def main(notes, until="inf"):
    lines = [json.loads(line) for line in Path(notes).read_text().splitlines()]
    run, *rest = lines
    written = [line for line in rest if "acknowledged" in line]
    acknowledged = [line["acknowledged"] for line in written if line["at"] <= float(until)]
    later = [line["acknowledged"] for line in written if line["at"] > float(until)]
    found = {point.step: point.value for point in MlflowClient().get_metric_history(run["run"], "n")}
    lost = [number for number in acknowledged if found.get(number) != number]
    files = [number for number in acknowledged if number % 10 == 0]
    with tempfile.TemporaryDirectory() as folder:
        mlflow.artifacts.download_artifacts(run_id=run["run"], artifact_path="written", dst_path=folder)
        for number in files:
            file = Path(folder, "written", f"{number}.txt")
            if not file.exists() or file.read_text() != str(number) * 100:
                lost.append(f"written/{number}.txt")
    print(
        json.dumps(
            {
                "acknowledged": len(acknowledged) + len(files),
                "lost": lost,
                "later": [number for number in later if number in found],
                "failed": sum("failed" in line for line in rest),
                "down": max((line.get("down", 0) for line in rest), default=0),
            }
        )
    )


main(*sys.argv[1:])
