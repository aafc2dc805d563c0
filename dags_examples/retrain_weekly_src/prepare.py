"""Make a history of demand: how much is sold each day, by temperature.

By hand: python prepare.py --until 2026-01-31 --weeks 8 --output history.csv
"""

import argparse
import csv
import random
from datetime import date, timedelta

from mlsteps.run import Run

parser = argparse.ArgumentParser()
parser.add_argument("--until", type=date.fromisoformat, required=True)
parser.add_argument("--weeks", type=int, default=52)
parser.add_argument("--output", required=True, help="CSV file")
args = parser.parse_args()

# New data comes once a week.
end = args.until - timedelta(days=args.until.weekday())
with open(args.output, "w", newline="") as file:
    writer = csv.writer(file)
    writer.writerow(["day", "temperature", "sold"])
    for day in (end - timedelta(days=number) for number in range(7 * args.weeks, 0, -1)):
        chance = random.Random(day.toordinal())
        temperature = 15 + chance.gauss(0, 8)
        writer.writerow([day, round(temperature, 1), round(40 + 3 * temperature + chance.gauss(0, 5))])
Run.get_context().log("days", 7 * args.weeks)
