"""Fit a line through the hours: what a machine draws at a temperature.

By hand: python train.py --data hours --output model
"""

import argparse
import csv
import json
from pathlib import Path
from statistics import correlation, linear_regression

from mlsteps.run import Run

parser = argparse.ArgumentParser()
parser.add_argument("--data", required=True, help="folder with CSV files, as Spark writes them")
parser.add_argument("--output", required=True, help="file for the model")
args = parser.parse_args()

rows = []
for path in sorted(Path(args.data).glob("*.csv")):
    with open(path, newline="") as file:
        rows += csv.DictReader(file)
temperature = [float(row["temperature"]) for row in rows]
power = [float(row["power"]) for row in rows]
line = linear_regression(temperature, power)

Path(args.output).write_text(json.dumps({"slope": line.slope, "intercept": line.intercept}))
run = Run.get_context()
run.log("slope", line.slope)
run.log("r2", correlation(temperature, power) ** 2)
run.upload_file("model.json", args.output)
run.register_model("power", "model.json")
