"""Make readings of three machines: what they draw (kW) at which temperature. Some readings are missing.

By hand: python prepare.py --output readings
"""

import argparse
import csv
import random
from pathlib import Path

from mlsteps.run import Run

parser = argparse.ArgumentParser()
parser.add_argument("--days", type=int, default=7)
parser.add_argument("--output", required=True, help="folder for readings.csv")
args = parser.parse_args()

chance = random.Random(7)
rows = []
for hour in range(24 * args.days):
    for machine in ("a", "b", "c"):
        for minute in range(0, 60, 10):
            temperature = 15 + chance.gauss(0, 5)
            power = "" if chance.random() < 0.05 else round(2 + 0.3 * temperature + chance.gauss(0, 0.2), 3)
            rows.append((machine, hour, minute, round(temperature, 2), power))

Path(args.output).mkdir(parents=True, exist_ok=True)
with open(Path(args.output) / "readings.csv", "w", newline="") as file:
    writer = csv.writer(file)
    writer.writerow(["machine", "hour", "minute", "temperature", "power"])
    writer.writerows(rows)
Run.get_context().log("readings", len(rows))
