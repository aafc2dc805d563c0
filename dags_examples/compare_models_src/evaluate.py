"""Evaluate the best model on the test part, which nobody has looked at before, and register it."""

import argparse
import json
import shutil
from pathlib import Path

import joblib
import sklearn
from parts import read_part
from sklearn.metrics import classification_report, confusion_matrix, roc_auc_score

from mlsteps.run import Run

parser = argparse.ArgumentParser()
parser.add_argument("--data", required=True, help="folder with test.csv")
parser.add_argument("--model", required=True, help="folder with model.joblib and about.json")
parser.add_argument("--report", required=True, help="JSON file to write")
args = parser.parse_args()

LABELS = ["malignant", "benign"]

run = Run.get_context()
features, target = read_part(args.data, "test")
model = joblib.load(Path(args.model, "model.joblib"))
about = json.loads(Path(args.model, "about.json").read_text())
predicted = model.predict(features)

accuracy = float((predicted == target).mean())
auc = float(roc_auc_score(target, model.predict_proba(features)[:, 1]))
matrix = confusion_matrix(target, predicted).tolist()
run.log("accuracy", accuracy)
run.log("auc", auc)
run.log_confusion_matrix(
    "confusion_matrix",
    {
        "schema_type": "confusion_matrix",
        "schema_version": "v1",
        "data": {"class_labels": LABELS, "matrix": matrix},
    },
)
run.parent.log("test_auc", auc)

# For the steps and tasks that come after this one:
Path(args.report).write_text(json.dumps({**about, "accuracy": accuracy, "auc": auc}))

# For people: whatever lies in ./outputs is kept with the run, and can be registered as a model.
outputs = Path("outputs")
outputs.mkdir(exist_ok=True)  # a step finds it made; by hand it may be missing
outputs.joinpath("report.txt").write_text(classification_report(target, predicted, target_names=LABELS))
shutil.copytree(args.model, outputs / "model", dirs_exist_ok=True)
run.register_model(
    "breast_cancer",
    model_path="outputs/model",
    tags={"model": about["model"]},
    properties={"auc": auc},
    model_framework="ScikitLearn",
    model_framework_version=sklearn.__version__,
)
