"""The commands and their options; what they do stands in the modules beside this one."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from mlsteps import __version__
from mlsteps.cli.demo_choices import FOLDER, ClusterChoice, Compute, Place
from mlsteps.exceptions import MlstepsException

app = typer.Typer(
    name="mlsteps",
    help="Azure-ML-style pipelines on Apache Airflow: run them here, and read the records of their runs.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

FAILED = 1
USAGE = 2

WorkspaceOption = Annotated[
    Path | None,
    typer.Option(
        "--workspace", "-w", metavar="DIR", help="Workspace folder or workspace.yaml. Default: Airflow's."
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="One JSON object as the last line on stdout.")]


@app.command()
def run(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A DAG file.", show_default=False)],
    param: Annotated[
        list[str] | None,
        typer.Option("--param", "-p", metavar="NAME=VALUE", help="A parameter of the run; may be repeated."),
    ] = None,
    workspace: WorkspaceOption = None,
    dag: Annotated[
        str | None, typer.Option("--dag", metavar="ID", help="Only this DAG of the file.", show_default=False)
    ] = None,
    json: JsonOption = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Show Airflow's own log too.")] = False,
) -> None:
    """Run the pipelines of a DAG file in this process, without a scheduler.

    Exit status 0 only when every run succeeded; 1 when one failed or was canceled; 2 for a mistaken call.
    """
    from mlsteps.cli.run import run_file

    with _errors(), _output(json) as out:
        _use(workspace)
        report = run_file(file, param or [], dag, verbose=verbose)
        if json:
            out.write(report.to_json() + "\n")
        raise typer.Exit(0 if report.succeeded else FAILED)


@app.command()
def plan(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A DAG file.", show_default=False)],
    param: Annotated[
        list[str] | None,
        typer.Option("--param", "-p", metavar="NAME=VALUE", help="A parameter of the run; may be repeated."),
    ] = None,
    workspace: WorkspaceOption = None,
    dag: Annotated[
        str | None, typer.Option("--dag", metavar="ID", help="Only this DAG of the file.", show_default=False)
    ] = None,
    json: JsonOption = False,
) -> None:
    """Tell what a run of a DAG file would reuse and what it would run, and why. Nothing is run."""
    from mlsteps.cli.plan import plan_file, tell, to_json

    with _errors(), _output(json) as out:
        _use(workspace)
        plans = plan_file(file, param or [], dag)
        if json:
            out.write(to_json(plans) + "\n")
        else:
            tell(plans)


@app.command()
def explain(
    run: Annotated[
        str, typer.Argument(metavar="RUN", help="A run id, the end of one, or 'last'.", show_default=False)
    ],
    step: Annotated[
        str | None,
        typer.Argument(metavar="[STEP]", help="Only this step, with everything.", show_default=False),
    ] = None,
    workspace: WorkspaceOption = None,
    json: JsonOption = False,
) -> None:
    """Say why each step of a run ran, or was reused."""
    from mlsteps.cli.explain import explain_command

    with _errors():
        _use(workspace)
        explain_command(run, step, as_json=json)


environment_app = typer.Typer(
    name="environment", help="Environments that steps run in.", no_args_is_help=True
)
app.add_typer(environment_app)


@environment_app.command("lock")
def environment_lock(
    source: Annotated[
        str,
        typer.Argument(
            metavar="SOURCE",
            help="A requirements file, a conda YAML file, or the name of a registered environment.",
            show_default=False,
        ),
    ],
    refresh: Annotated[
        bool, typer.Option("--refresh", help="Resolve anew, for all who use the workspace.")
    ] = False,
    python: Annotated[
        str | None,
        typer.Option("--python", metavar="X.Y", help="Minor version. Default: asked for, else this one."),
    ] = None,
    workspace: WorkspaceOption = None,
    json: JsonOption = False,
) -> None:
    """Print what the packages of an environment are resolved to; resolve them if nobody did yet.

    Steps use these versions until the lock is refreshed. Then those whose packages changed run again.
    """
    from mlsteps.cli.environment import lock_command

    with _errors():
        _use(workspace)
        lock_command(source, python, refresh=refresh, as_json=json)


@app.command()
def gc(
    older_than: Annotated[
        str,
        typer.Option("--older-than", metavar="DURATION", help="What is younger stays; like 30d, 12h, 90m."),
    ] = "30d",
    keep_last: Annotated[
        int, typer.Option("--keep-last", metavar="N", min=0, help="The last N runs of each DAG stay.")
    ] = 1,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be deleted.")] = False,
    workspace: WorkspaceOption = None,
    json: JsonOption = False,
) -> None:
    """Delete old runs, and outputs, snapshots and results that nobody can reach any more.

    Pipelines may run meanwhile. What a run or result that stays, or a registered model, refers to stays too.
    """
    from mlsteps.cli.gc import gc_command

    with _errors():
        _use(workspace)
        gc_command(older_than, keep_last, dry_run=dry_run, as_json=json)


@app.command()
def compute(
    action: Annotated[
        str, typer.Argument(metavar="[ACTION]", help="'list' (default), or 'sync': make their pools, too.")
    ] = "list",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the commands that 'sync' would run.")
    ] = False,
    conn_id: Annotated[
        str | None,
        typer.Option("--conn-id", metavar="ID", help="The workspace of this Airflow connection."),
    ] = None,
    workspace: WorkspaceOption = None,
    json: JsonOption = False,
) -> None:
    """List the compute targets of a workspace, and make the Airflow pools that hold them to their limits.

    Steps run in these pools when Airflow's option [mlsteps] compute_pools is true. Run 'sync' before that is
    set, and after a compute target was added or changed.
    """
    from mlsteps.cli.compute import compute_command

    with _errors():
        _use(workspace)
        compute_command(action, conn_id, dry_run=dry_run, as_json=json)


@app.command()
def runs(
    dag: Annotated[
        str | None, typer.Argument(metavar="[DAG]", help="Only runs of this DAG.", show_default=False)
    ] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", help="At most this many, the newest first.")] = 20,
    workspace: WorkspaceOption = None,
    json: JsonOption = False,
) -> None:
    """List the runs that a workspace has records of."""
    from mlsteps.cli.records import list_runs_command

    with _errors():
        _use(workspace)
        list_runs_command(dag, limit, as_json=json)


@app.command()
def show(
    run: Annotated[
        str, typer.Argument(metavar="RUN", help="A run id, the end of one, or 'last'.", show_default=False)
    ],
    step: Annotated[
        str | None,
        typer.Option("--step", "-s", metavar="NAME", help="All about one step.", show_default=False),
    ] = None,
    logs: Annotated[bool, typer.Option("--logs", help="Also what the scripts printed.")] = False,
    workspace: WorkspaceOption = None,
    json: JsonOption = False,
) -> None:
    """Show one run: its steps, metrics, outputs and errors."""
    from mlsteps.cli.records import show_command

    with _errors():
        _use(workspace)
        show_command(run, step, logs=logs, as_json=json)


@app.command()
def demo(
    ui: Annotated[
        bool, typer.Option("--ui", help="On a real Airflow with its web page, until Ctrl-C.")
    ] = False,
    home: Annotated[
        Path, typer.Option("--home", metavar="DIR", help="Where everything of the demo is kept.")
    ] = Path("demo-home"),
    port: Annotated[int, typer.Option("--port", help="Port of the web page; 0 takes a free one.")] = 0,
    storage: Annotated[
        str,
        typer.Option(
            "--storage",
            metavar="WHERE",
            help="Where data lies: folder, azurite (an emulator of Azure Blob Storage; needs Node.js), or "
            "the id of an Airflow connection to a storage account.",
        ),
    ] = FOLDER,
    compute: Annotated[
        Compute,
        typer.Option(
            "--compute",
            help="Where scripts run: here, in containers of a Docker engine, or in pods of the cluster that "
            "kubectl finds.",
        ),
    ] = Compute.LOCAL,
    image: Annotated[
        str | None,
        typer.Option("--image", help="In containers and pods: what they are made from."),
    ] = None,
    host: Annotated[
        str,
        typer.Option("--host", metavar="ADDRESS", help="Of this machine, where pods reach Azurite."),
    ] = Place.host,
    cluster: Annotated[
        str | None,
        typer.Option("--cluster", metavar="ID", help="An Airflow connection to another cluster."),
    ] = None,
    namespace: Annotated[str | None, typer.Option("--namespace", help="Of the pods.")] = None,
    push_to: Annotated[
        str | None,
        typer.Option("--push-to", metavar="REPOSITORY", help="Where nodes pull the image from that is made."),
    ] = None,
) -> None:
    """Prepare data, train two models, compare them, keep the better one."""
    with _errors():
        place = Place(storage, compute, image, host, ClusterChoice(cluster, namespace, push_to))
        if ui:
            from mlsteps.cli.demo_ui import run_demo_ui

            raise typer.Exit(run_demo_ui(home.absolute(), port, place))
        from mlsteps.cli.demo import run_demo

        raise typer.Exit(run_demo(home.absolute(), place))


def _version(value: bool) -> None:
    if value:
        typer.echo(f"mlsteps {__version__}")
        raise typer.Exit()


@app.callback()
def _main(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    pass


def _use(workspace: Path | None) -> None:
    """Work in ``workspace``; an Airflow home of its own belongs to it where none is set."""
    if workspace is None:
        return
    folder = workspace.expanduser().absolute()
    os.environ["MLSTEPS_WORKSPACE"] = str(folder)
    home = folder.parent if folder.suffix in (".yaml", ".yml") else folder
    os.environ.setdefault("AIRFLOW_HOME", str(home / ".airflow"))


@contextmanager
def _errors() -> Iterator[None]:
    """Tell mistakes in words and without a traceback."""
    try:
        yield
    except MlstepsException as error:
        typer.secho(f"mlsteps: {error}", fg="red", err=True)
        raise typer.Exit(USAGE) from None
    except KeyboardInterrupt:
        typer.secho("mlsteps: stopped", fg="red", err=True)
        raise typer.Exit(130) from None


@contextmanager
def _output(json: bool) -> Iterator[typer.FileTextWrite]:
    """The real stdout; with ``json`` everything else that is printed goes to stderr."""
    real = sys.stdout
    if json:
        sys.stdout = sys.stderr
    try:
        yield real  # type: ignore[misc]
    finally:
        sys.stdout = real
