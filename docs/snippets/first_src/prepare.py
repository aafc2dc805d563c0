"""Write numbers into the folder that the pipeline hands over."""

import argparse
import random
from pathlib import Path

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--output", required=True)
parser.add_argument("--rows", type=int, default=100)
args = parser.parse_args()

numbers = [random.gauss(10, 2) for _ in range(args.rows)]
Path(args.output, "numbers.txt").write_text("\n".join(map(str, numbers)))
print(f"wrote {args.rows} numbers")
