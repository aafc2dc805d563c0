"""Train a linear classifier of handwritten digits, epoch by epoch."""

import argparse
from pathlib import Path

import joblib
from sklearn.datasets import load_digits
from sklearn.linear_model import SGDClassifier
from sklearn.metrics import hinge_loss, recall_score
from sklearn.model_selection import train_test_split

from mlsteps.run import Run

parser = argparse.ArgumentParser()
parser.add_argument("--loss", choices=["log_loss", "hinge", "modified_huber"], default="log_loss")
parser.add_argument("--epochs", type=int, default=10)
parser.add_argument("--learning-rate", type=float, default=0.01)
parser.add_argument("--average", choices=["True", "False"], default="False")  # a bool arrives as text
args = parser.parse_args()

run = Run.get_context()
run.set_tags({"loss": args.loss, "average": args.average})

digits, labels = load_digits(return_X_y=True)
x, x_test, y, y_test = train_test_split(digits / 16, labels, test_size=0.25, random_state=0, stratify=labels)

model = SGDClassifier(
    loss=args.loss,
    learning_rate="constant",
    eta0=args.learning_rate,
    average=args.average == "True",
    random_state=0,
)
margins = []
for epoch in range(1, args.epochs + 1):
    model.partial_fit(x, y, classes=range(10))
    accuracy = model.score(x_test, y_test)
    margins.append(hinge_loss(y_test, model.decision_function(x_test)))
    run.log("accuracy", accuracy, step=epoch)  # again and again: a curve, which grows while the step runs
    run.log_row("epochs", epoch=epoch, train=model.score(x, y), test=accuracy)  # row by row: a table

run.log_list("hinge_loss", margins)  # a curve at once
recalls = recall_score(y_test, model.predict(x_test), average=None)
run.log_table("recall", {"digit": list(range(10)), "recall": recalls})  # a table at once
run.parent.log("accuracy", accuracy)

# Whatever lies in ./outputs is kept with the run.
Path("outputs").mkdir(exist_ok=True)
joblib.dump(model, "outputs/model.joblib")
