"""A double of S3 that speaks its protocol, with one empty bucket."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import boto3
from moto.server import ThreadedMotoServer

BUCKET, KEY, SECRET = "atrium-files", "test-key", "test-secret"


@contextmanager
def bucket() -> Iterator[dict[str, Any]]:
    """The settings that lead to it."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        address = f"http://{host}:{port}"
        client = boto3.client("s3", endpoint_url=address, aws_access_key_id=KEY, aws_secret_access_key=SECRET, region_name="us-east-1")
        client.create_bucket(Bucket=BUCKET)
        client.close()
        yield {
            "files_url": f"s3://{BUCKET}/documents", "files_endpoint": address, "files_access_key": KEY, "files_secret_key": SECRET,
        }  # fmt: skip
    finally:
        server.stop()
