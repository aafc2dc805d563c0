"""Train one kind of model; two steps of the pipeline run this script."""

import argparse
import json
from pathlib import Path

import joblib
from parts import read_part
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from mlsteps.run import Run

parser = argparse.ArgumentParser()
parser.add_argument("--model", choices=["logistic", "forest"], required=True)
parser.add_argument("--data", required=True, help="folder with train.csv")
parser.add_argument("--seed", type=int, default=7)
parser.add_argument("--output", required=True, help="folder to make, for model.joblib and about.json")
args = parser.parse_args()

if args.model == "logistic":
    model = make_pipeline(StandardScaler(), LogisticRegression(random_state=args.seed))
else:
    model = RandomForestClassifier(n_estimators=200, random_state=args.seed)

run = Run.get_context()
features, target = read_part(args.data, "train")
model.fit(features, target)
run.log("training_accuracy", model.score(features, target))
run.tag("model", args.model)

output = Path(args.output)
output.mkdir()  # PipelineData: the path is ours to make
joblib.dump(model, output / "model.joblib")
(output / "about.json").write_text(json.dumps({"model": args.model, "seed": args.seed}))
