"""Writes at a steady rate and notes what the server acknowledged. usage: writer.py EXPERIMENT NOTES STOP

Each write carries its number: metrics `n` at step n, and every tenth an artifact of that name. It goes into
NOTES (one JSON object a line) when the server has acknowledged it, and is tried again until then. It ends
when the file STOP is there.
"""

import json
import os
import sys
import time
from pathlib import Path

os.environ |= {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0", "MLFLOW_HTTP_REQUEST_TIMEOUT": "10"}

from mlflow import MlflowClient  # reads the environment when it is imported

INTERVAL = 0.2


def main(experiment, notes, stop):
    client = MlflowClient()
    run = client.create_run(client.create_experiment(experiment)).info.run_id
    number, since = 0, None
    with Path(notes).open("w", buffering=1) as out:
        out.write(json.dumps({"run": run}) + "\n")
        while not Path(stop).exists():
            try:
                client.log_metric(run, "n", number, step=number, synchronous=True)
                if number % 10 == 0:
                    client.log_text(run, str(number) * 100, f"written/{number}.txt")
            except Exception as error:  # whatever it is, it was not acknowledged
                since = since or time.time()
                out.write(json.dumps({"failed": number, "at": time.time(), "error": str(error)[:200]}) + "\n")
                time.sleep(0.2)
                continue
            down = time.time() - since if since else 0
            out.write(json.dumps({"acknowledged": number, "at": time.time(), "down": round(down, 1)}) + "\n")
            since = None
            number += 1
            time.sleep(INTERVAL)


main(*sys.argv[1:])
