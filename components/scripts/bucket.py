# pyright: basic, reportMissingImports=false
# Runs in MLflow's image.
"""Makes buckets where they are missing. Usage: bucket.py NAME...

The endpoint is in MLFLOW_S3_ENDPOINT_URL, the keys are in AWS's variables.
"""

import os
import sys

import boto3
from botocore.exceptions import ClientError

OURS = {"BucketAlreadyOwnedByYou", "BucketAlreadyExists"}


def main(*buckets):
    store = boto3.client("s3", endpoint_url=os.environ["MLFLOW_S3_ENDPOINT_URL"])
    for bucket in buckets:
        ensure(store, bucket)


def ensure(store, bucket):
    try:
        store.create_bucket(Bucket=bucket)
    except ClientError as error:
        if error.response["Error"]["Code"] not in OURS:
            raise
        print(f"bucket {bucket} is there")
    else:
        print(f"bucket {bucket} made")


if __name__ == "__main__":
    main(*sys.argv[1:])
