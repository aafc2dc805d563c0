"""Learn the mean of the numbers, and write it as a model."""

import argparse
import json
from pathlib import Path
from statistics import fmean

from mlsteps.run import Run

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--data", required=True)
parser.add_argument("--model", required=True)
args = parser.parse_args()

numbers = [float(line) for line in Path(args.data, "numbers.txt").read_text().split()]
mean = fmean(numbers)

run = Run.get_context()
run.log("mean", mean)
run.log("rows", len(numbers))

Path(args.model).write_text(json.dumps({"mean": mean}))
