"""Count the files of a folder."""

import argparse
from pathlib import Path

from mlsteps.run import Run

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--folder", required=True)
args = parser.parse_args()

Run.get_context().log("files", sum(path.is_file() for path in Path(args.folder).rglob("*")))
