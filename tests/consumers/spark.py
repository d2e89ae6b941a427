"""Spark as it comes from PyPI, on Debian's Java 17, sparing a small machine."""

import os
from pathlib import Path

# Nothing of it listens anywhere but on the loopback.
LOCAL = "127.0.0.1"
SETTINGS = {
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.driver.memory": "512m",
    # It lives half a minute: compiling well costs more than it gains.
    "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
    "spark.driver.bindAddress": LOCAL,
    "spark.driver.host": LOCAL,
    "spark.sql.shuffle.partitions": "2",
    "spark.sql.session.timeZone": "UTC",
    # The plan as it is planned, so that its leaves can be asked what they read.
    "spark.sql.adaptive.enabled": "false",
}


def java_17() -> str:
    """Debian's, whichever `java` is first in PATH."""
    found = sorted(Path("/usr/lib/jvm").glob("java-17-openjdk*"))
    assert found, "openjdk-17-jre-headless is missing: run scripts/setup test"
    return str(found[0])


def start(folder: Path):
    """A session whose relative paths begin at `folder`; takes some ten seconds."""
    os.environ |= {"JAVA_HOME": java_17(), "SPARK_LOCAL_IP": LOCAL}
    # A SPARK_HOME of the machine's would be another Spark.
    os.environ.pop("SPARK_HOME", None)
    from pyspark.sql import SparkSession

    builder = SparkSession.builder.master("local[2]").appName("evscribe")
    for key, value in SETTINGS.items():
        builder = builder.config(key, value)
    before = os.getcwd()
    os.chdir(folder)
    try:
        session = builder.config("spark.sql.warehouse.dir", str(folder / "warehouse")).getOrCreate()
    finally:
        os.chdir(before)
    session.sparkContext.setLogLevel("ERROR")
    return session


def files_read(frame) -> int:
    """How many files the scan of a frame opened; the frame is computed for it."""
    plan = frame._jdf.queryExecution().executedPlan()
    plan.executeCollect()
    leaf = plan.collectLeaves().head()
    return leaf.metrics().apply("numFiles").value()


def plan(frame) -> str:
    """The physical plan in Spark's words."""
    return frame._jdf.queryExecution().executedPlan().toString()
