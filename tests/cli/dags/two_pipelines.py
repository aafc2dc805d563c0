"""Two pipelines and no DAG."""

from mlsteps import Pipeline, PythonScriptStep, Workspace

workspace = Workspace()
one = Pipeline(
    workspace, [PythonScriptStep("say.py", name="say", arguments=["one"], source_directory="scripts")]
)
two = Pipeline(
    workspace, [PythonScriptStep("say.py", name="say", arguments=["two"], source_directory="scripts")]
)
