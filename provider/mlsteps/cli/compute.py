"""``mlsteps compute``: compute targets, and the Airflow pools that hold them to their limits."""

from __future__ import annotations

import shlex
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from mlsteps.exceptions import ComputeTargetException, UserErrorException
from mlsteps.run import values
from mlsteps.workspace import Workspace

NO_LIMIT = -1
_SECONDS = 120


@dataclass(frozen=True)
class ComputePool:
    """A compute target and the pool that stands for it.

    :param slots: As many jobs at a time; :data:`NO_LIMIT` is any number.
    :param where: Whether it is configured or registered.
    :param problem: Why it cannot be used, or None.
    """

    name: str
    type: str
    slots: int
    pool: str
    where: str
    problem: str | None = None


def compute_command(action: str, conn_id: str | None, *, dry_run: bool, as_json: bool) -> None:
    """List the compute targets, or make their pools in Airflow as well."""
    if action not in ("list", "sync"):
        raise UserErrorException(f"mlsteps compute {action}: there is list and sync.")
    pools = compute_pools(Workspace(conn_id=conn_id))
    usable = [pool for pool in pools if pool.problem is None]
    if action == "sync" and dry_run:
        for pool in usable:
            print(shlex.join(pool_command(pool)))
        return
    if action == "sync":
        make_pools(usable)
    if as_json:
        print(values.dumps([vars(pool) for pool in pools]))
    else:
        _tell(pools)


def compute_pools(workspace: Workspace) -> list[ComputePool]:
    """Every compute target of a workspace, with its pool."""
    configured = workspace.config.compute_targets
    pools = []
    for name in workspace.compute_targets:
        where = "configured" if name in configured else "registered"
        settings = workspace.compute_target_settings(name) or {}
        kind, problem, slots = str(settings.get("type")), None, NO_LIMIT
        try:
            slots = getattr(workspace.compute_targets[name], "max_nodes", None) or NO_LIMIT
        except ComputeTargetException as error:
            problem = error.message
        pools.append(ComputePool(name, kind, slots, workspace.pool_name(name), where, problem))
    return pools


def pool_command(pool: ComputePool) -> list[str]:
    """The command of Airflow's that makes a pool, or changes its slots."""
    command = ["airflow", "pools", "set", pool.pool, str(pool.slots), _description(pool)]
    # The job of a step that waits without a worker runs all the same.
    return [*command, "--include-deferred"]


def make_pools(pools: list[ComputePool]) -> None:
    """Make pools, or change their slots, all by one call of Airflow's command line.

    :raises UserErrorException: Airflow could not; the text says why.
    """
    plain = {
        pool.pool: {"slots": pool.slots, "description": _description(pool), "include_deferred": True}
        for pool in pools
    }
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "pools.json"
        file.write_text(values.dumps(plain), "utf-8")
        done = subprocess.run(
            [sys.executable, "-m", "airflow", "pools", "import", str(file)],
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            stdin=subprocess.DEVNULL,
        )
    if done.returncode != 0:
        raise UserErrorException(
            f"Airflow could not make the pools: {(done.stderr or done.stdout).strip()[-500:]}\n"
            f"Where Airflow's database is out of reach, 'mlsteps compute sync --dry-run' prints the commands."
        )


def _description(pool: ComputePool) -> str:
    return f"Jobs of the mlsteps compute target {pool.name!r}"


def _tell(pools: list[ComputePool]) -> None:
    table = Table(show_edge=False, pad_edge=False, header_style="bold")
    for column in ("compute target", "type", "jobs at a time", "pool", "from"):
        table.add_column(column, justify="right" if column == "jobs at a time" else "left", overflow="fold")
    for pool in pools:
        slots = "any" if pool.slots == NO_LIMIT else str(pool.slots)
        table.add_row(*map(escape, (pool.name, pool.type, slots, pool.pool, pool.where)))
    console = Console(highlight=False, soft_wrap=True)
    console.print(table)
    for pool in pools:
        if pool.problem:
            console.print(f"[red]{escape(pool.problem)}[/red]")
