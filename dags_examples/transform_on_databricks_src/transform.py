"""Average the readings of each machine and hour, on Databricks: Spark reads and writes the data."""

import argparse

from pyspark.sql import SparkSession
from pyspark.sql import functions as f

from mlsteps.run import Run

parser = argparse.ArgumentParser()
parser.add_argument("--readings", required=True, help="URL of a folder with CSV files")
parser.add_argument("--hours", required=True, help="URL of the folder to make, with CSV files")
parser.add_argument("--AML_PARAMETER_largest_gap", dest="largest_gap", type=float, default=0.1)
args, _ = parser.parse_known_args()  # a script on Databricks is told more than it asks for

spark = SparkSession.builder.getOrCreate()
readings = spark.read.csv(
    args.readings,
    header=True,
    schema="machine string, hour int, minute int, temperature double, power double",
)
hours = (
    readings.groupBy("machine", "hour")
    .agg(
        f.mean(f.when(f.col("power").isNotNull(), f.col("temperature"))).alias("temperature"),
        f.mean("power").alias("power"),
        (f.count("power") / f.count("*")).alias("known"),
    )
    .cache()
)
kept = hours.where(f.col("known") >= 1 - args.largest_gap).drop("known")
kept.orderBy("machine", "hour").coalesce(1).write.csv(args.hours, header=True)

run = Run.get_context()
run.log("hours", kept.count())
run.log("left_out", hours.count() - kept.count())
