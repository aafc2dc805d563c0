"""Average the readings of each machine and hour; runs on Databricks.

So little data is copied to the driver. More of it Spark would read and write itself, from the same URLs:
spark.read.csv(args.readings, header=True) and frame.write.csv(args.hours, header=True).
"""

import argparse
import csv
import os
import tempfile
from collections import defaultdict

from databricks.sdk.runtime import dbutils  # what notebooks have by that name

from mlsteps.run import Run

parser = argparse.ArgumentParser()
parser.add_argument("--readings", required=True, help="URL of a folder with readings.csv")
parser.add_argument("--hours", required=True, help="URL of the folder to make, with hours.csv")
parser.add_argument("--AML_PARAMETER_largest_gap", dest="largest_gap", type=float, default=0.1)
args, _ = parser.parse_known_args()  # a script on Databricks is told more than it asks for

folder = tempfile.mkdtemp()
dbutils.fs.cp(args.readings, f"file:{folder}/readings", recurse=True)

groups = defaultdict(list)
with open(f"{folder}/readings/readings.csv", newline="") as file:
    for row in csv.DictReader(file):
        groups[row["machine"], int(row["hour"])].append(row)

os.mkdir(f"{folder}/hours")
kept = 0
with open(f"{folder}/hours/hours.csv", "w", newline="") as file:
    writer = csv.writer(file)
    writer.writerow(["machine", "hour", "temperature", "power"])
    for (machine, hour), rows in sorted(groups.items()):
        known = [row for row in rows if row["power"]]
        if len(known) < (1 - args.largest_gap) * len(rows):
            continue
        kept += 1
        means = (sum(float(row[name]) for row in known) / len(known) for name in ("temperature", "power"))
        writer.writerow([machine, hour, *(f"{mean:.4f}" for mean in means)])
dbutils.fs.cp(f"file:{folder}/hours", args.hours, recurse=True)

run = Run.get_context()
run.log("hours", kept)
run.log("left_out", len(groups) - kept)
