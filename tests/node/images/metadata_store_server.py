#!/usr/bin/python3
"""Stands in for ML Metadata's server: gRPC before the same store, that of the library `ml-metadata`.

Takes the flags that the platform gives the real one. The database is a file: the MySQL of the configuration,
which is read and no more, is 9 here and lets nobody in by mysql_native_password.
"""

from __future__ import annotations

import argparse
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
from google.protobuf import text_format
from ml_metadata import errors
from ml_metadata.metadata_store import metadata_store
from ml_metadata.proto import metadata_store_pb2, metadata_store_service_pb2

NAME = "ml_metadata.MetadataStoreService"
STATUS = {code.value[0]: code for code in grpc.StatusCode}


def connection(file):
    """Where the data are: the configuration has to be one that the real server would take."""
    read = metadata_store_pb2.MetadataStoreServerConfig()
    text_format.Parse(Path(file).read_text(), read)
    assert read.connection_config.mysql.password, "no password for MySQL"
    found = metadata_store_pb2.ConnectionConfig()
    found.sqlite.filename_uri = "/tmp/metadata.db"  # the container's own
    return found


def handlers(store):
    """One for each method of the service."""
    lock = threading.Lock()

    def made(method):
        asked = getattr(metadata_store_service_pb2, method.input_type.name)
        answered = getattr(metadata_store_service_pb2, method.output_type.name)

        def call(request, context):
            response = answered()
            try:
                with lock:
                    store._call_method(method.name, request, response)  # by message, as we are
            except errors.StatusError as error:
                context.abort(STATUS[error.error_code], str(error))
            return response

        return grpc.unary_unary_rpc_method_handler(call, asked.FromString, answered.SerializeToString)

    service = metadata_store_service_pb2.DESCRIPTOR.services_by_name["MetadataStoreService"]
    return {method.name: made(method) for method in service.methods}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--grpc_port", type=int, required=True)
    parser.add_argument("--metadata_source_config_type", choices=["config_file"], required=True)
    parser.add_argument("--metadata_store_server_config_file", required=True)
    parser.add_argument("--grpc_channel_arguments", required=True)
    told = parser.parse_args()
    store = metadata_store.MetadataStore(connection(told.metadata_store_server_config_file))
    server = grpc.server(ThreadPoolExecutor(8))
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(NAME, handlers(store)),))
    server.add_insecure_port(f"0.0.0.0:{told.grpc_port}")
    server.start()
    server.wait_for_termination()


if __name__ == "__main__":
    main()
