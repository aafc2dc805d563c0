"""Learn what is sold at a temperature; the last quarter of the days tells how well.

By hand: python train.py --data history.csv --output model.json
"""

import argparse
import csv
import json
from pathlib import Path
from statistics import fmean, linear_regression

from mlsteps.run import Run

parser = argparse.ArgumentParser()
parser.add_argument("--data", required=True, help="CSV file of prepare.py")
parser.add_argument("--output", required=True, help="JSON file for the model")
args = parser.parse_args()

with open(args.data, newline="") as file:
    rows = [(float(row["temperature"]), float(row["sold"])) for row in csv.DictReader(file)]
known, held_back = rows[: len(rows) * 3 // 4], rows[len(rows) * 3 // 4 :]
slope, intercept = linear_regression(*zip(*known, strict=True))
rmse = fmean((slope * temperature + intercept - sold) ** 2 for temperature, sold in held_back) ** 0.5

Path(args.output).write_text(json.dumps({"slope": slope, "intercept": intercept, "rmse": rmse}))
Run.get_context().log("rmse", rmse)
