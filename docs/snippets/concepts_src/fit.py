"""Log the parameter that the run was given."""

import argparse
import os

from mlsteps.run import Run

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--alpha", type=float, required=True)
args = parser.parse_args()

run = Run.get_context()
run.log("alpha", args.alpha)
run.tag("verbosity", os.environ["AML_PARAMETER_VERBOSITY"])
