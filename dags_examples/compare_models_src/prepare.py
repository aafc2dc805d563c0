"""Split the breast cancer data that comes with scikit-learn into three parts.

Like every script of the pipeline it also runs by hand, and then prints what it logs:
python prepare.py --output data
"""

import argparse
from pathlib import Path

from parts import TARGET, write_part
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import train_test_split

from mlsteps.run import Run

parser = argparse.ArgumentParser()
parser.add_argument("--output", required=True, help="folder for train.csv, validation.csv and test.csv")
parser.add_argument("--test-size", type=float, default=0.2, help="share of each held-out part")
parser.add_argument("--seed", type=int, default=7)
args = parser.parse_args()

run = Run.get_context()
rows = load_breast_cancer(as_frame=True).frame  # target: 0 is malignant, 1 is benign


def split(rows):
    return train_test_split(rows, test_size=args.test_size, random_state=args.seed, stratify=rows[TARGET])


rest, test = split(rows)
train, validation = split(rest)  # to compare models on, so that the test part stays unseen

Path(args.output).mkdir(parents=True, exist_ok=True)  # a step finds it made; by hand it may be missing
for name, part in {"train": train, "validation": validation, "test": test}.items():
    write_part(args.output, name, part)
    run.log_row("parts", part=name, rows=len(part), benign=part[TARGET].mean())
