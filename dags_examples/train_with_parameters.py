"""One step with parameters of every type: what a trigger form can ask for.

Trigger the DAG in the Airflow UI, change the fields, and compare what the runs logged.
"""

from airflow.sdk import Param

from mlsteps import Pipeline, PipelineParameter, PythonScriptStep, Workspace

# The type of the default is the type of the field, and is checked.
loss = PipelineParameter("loss", "log_loss")
epochs = PipelineParameter("epochs", 10)
learning_rate = PipelineParameter("learning_rate", 0.01)
average = PipelineParameter("average", False)

train = PythonScriptStep(
    "train.py",
    name="train",
    arguments=["--loss", loss, "--epochs", epochs, "--learning-rate", learning_rate, "--average", average],
    source_directory="train_with_parameters_src",
)

dag = Pipeline(Workspace(), steps=[train], description="Train a classifier of handwritten digits").to_dag(
    "train_with_parameters",
    schedule=None,
    doc_md=__doc__,
    tags=["example"],
    # A field may say more than a type: one that is declared here takes the place of the parameter's own.
    params={
        "loss": Param(
            "log_loss",
            type="string",
            enum=["log_loss", "hinge", "modified_huber"],
            description="What the training minimizes: logistic regression, a linear SVM, or a smoothed one",
        )
    },
)
