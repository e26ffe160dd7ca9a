"""A local server that speaks S3, for tests; nothing leaves this machine."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3


@dataclass(frozen=True)
class Server:
    """The address of a server, and what is in its buckets."""

    url: str

    @property
    def environment(self) -> dict[str, str]:
        """What a user sets to reach it."""
        return {
            "SNAKEMAKE_STORAGE_S3_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": "somebody",
            "AWS_SECRET_ACCESS_KEY": "secret",
        }

    def bucket(self, name: str) -> Any:
        """Return a bucket."""
        session = boto3.session.Session("somebody", "secret", region_name="us-east-1")
        return session.resource("s3", endpoint_url=self.url).Bucket(name)

    def objects(self, bucket: str) -> dict[str, bytes]:
        """Return the content of every object by key."""
        return {o.key: o.get()["Body"].read() for o in self.bucket(bucket).objects.all()}

    def download(self, bucket: str, prefix: str, folder: Path) -> None:
        """Copy what lies below a prefix to a folder, as ``aws s3 sync`` does."""
        for key, content in self.objects(bucket).items():
            if key.startswith(prefix):
                target = folder / key.removeprefix(prefix)
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(content)


@contextmanager
def serve(log: Path) -> Iterator[Server]:
    """Start a server on a free port, with its log in a file, and end it."""
    line = [sys.executable, "-c", "from moto.server import main; main()", "-H", "127.0.0.1", "-p", "0"]
    with log.open("w") as sink, subprocess.Popen(line, stdout=sink, stderr=sink) as process:
        try:
            yield Server(_address(process, log))
        finally:
            process.kill()


def _address(process: subprocess.Popen[bytes], log: Path) -> str:
    end = time.monotonic() + 60
    while process.poll() is None and time.monotonic() < end:
        if found := re.search(r"http://127\.0\.0\.1:\d+", log.read_text()):
            return found[0]
        time.sleep(0.1)
    raise AssertionError(f"the S3 server did not start:\n{log.read_text()}")
