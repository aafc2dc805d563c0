"""The parts of the data that prepare.py writes, and the other scripts read."""

from pathlib import Path

import pandas as pd

TARGET = "target"


def write_part(folder: str, part: str, rows: pd.DataFrame) -> None:
    """Write one of the parts: train, validation or test."""
    rows.to_csv(Path(folder) / f"{part}.csv", index=False)


def read_part(folder: str, part: str) -> tuple[pd.DataFrame, pd.Series]:
    """Features and target of a part."""
    rows = pd.read_csv(Path(folder) / f"{part}.csv")
    return rows.drop(columns=TARGET), rows[TARGET]
