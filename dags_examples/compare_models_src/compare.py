"""Score the candidates on the validation part, and hand the best one on."""

import argparse
import json
import shutil
from pathlib import Path

import joblib
from parts import read_part
from sklearn.metrics import roc_auc_score

from mlsteps.run import Run

parser = argparse.ArgumentParser()
parser.add_argument("--data", required=True, help="folder with validation.csv")
parser.add_argument("--candidates", nargs="+", required=True, help="folders that train.py wrote")
parser.add_argument("--output", required=True, help="folder to make: a copy of the best candidate")
args = parser.parse_args()

run = Run.get_context()
features, target = read_part(args.data, "validation")

aucs = {}
for folder in args.candidates:
    about = json.loads(Path(folder, "about.json").read_text())
    model = joblib.load(Path(folder, "model.joblib"))
    aucs[folder] = roc_auc_score(target, model.predict_proba(features)[:, 1])
    accuracy = model.score(features, target)
    run.log_row("candidates", model=about["model"], auc=aucs[folder], accuracy=accuracy)  # one table
    run.log(f"{about['model']}_auc", aucs[folder])

best = max(aucs, key=aucs.get)  # the first of two that are equally good
shutil.copytree(best, args.output)
about = json.loads(Path(best, "about.json").read_text())
Path(args.output, "about.json").write_text(json.dumps({**about, "validation_auc": aucs[best]}))

# On the parent, that is the pipeline run, so that runs of the pipeline can be compared.
run.parent.log("best_model", about["model"])
run.parent.log("validation_auc", aucs[best])
