"""The S3 server of the tests does what a lake relies on. Not our code: were one of
these wrong, the tests that stand on it would prove nothing."""

import boto3
import pytest
from botocore.exceptions import ClientError


def refused(call, **arguments) -> str:
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    return caught.value.response["Error"]["Code"]


def it_checks_signatures(s3):
    keys = {"aws_access_key_id": "lake-of-tests", "aws_secret_access_key": "wrong", "region_name": "us-east-1"}
    stranger = boto3.client("s3", endpoint_url=s3.endpoint, **keys)
    assert refused(stranger.list_buckets) == "SignatureDoesNotMatch"


def it_writes_only_where_nothing_is_and_only_over_what_is_known(s3):
    at = {"Bucket": s3.bucket(), "Key": "lake/_evscribe/lock"}
    first = s3.client.put_object(**at, Body=b"1", IfNoneMatch="*")["ETag"]
    assert refused(s3.client.put_object, **at, Body=b"2", IfNoneMatch="*") == "PreconditionFailed"
    second = s3.client.put_object(**at, Body=b"3", IfMatch=first)["ETag"]
    assert refused(s3.client.put_object, **at, Body=b"4", IfMatch=first) == "PreconditionFailed"
    assert second != first and s3.read(**{"bucket": at["Bucket"], "key": at["Key"]}) == b"3"


def it_shows_an_upload_in_parts_only_once_it_is_whole(s3):
    bucket, key = s3.bucket(), "lake/events/date=2026-11-23/host=ab01/a.parquet"
    at = {"Bucket": bucket, "Key": key}
    begun = {**at, "UploadId": s3.client.create_multipart_upload(**at)["UploadId"]}
    parts = [
        {"PartNumber": n, "ETag": s3.client.upload_part(**begun, PartNumber=n, Body=bytes([n]) * (5 << 20))["ETag"]}
        for n in (1, 2)
    ]
    assert s3.sizes(bucket) == {} and s3.unfinished(bucket) == [key]
    s3.client.complete_multipart_upload(**begun, MultipartUpload={"Parts": parts})
    assert s3.sizes(bucket) == {key: 10 << 20} and s3.unfinished(bucket) == []
    around = s3.client.get_object(**at, Range=f"bytes={(5 << 20) - 1}-{5 << 20}")["Body"].read()
    assert around == b"\x01\x02"
    assert s3.client.get_object(**at, Range="bytes=-3")["Body"].read() == b"\x02" * 3
