"""The page of the tab "Reuse", as Airflow's API server has it; tests/e2e looks at it in a browser."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def test_the_page_holds_nothing_and_loads_nothing_from_elsewhere(client: Any) -> None:
    page, script = client.get("/mlsteps/reuse"), client.get("/mlsteps/reuse.js")
    assert (page.status_code, script.status_code) == (200, 200)
    assert page.headers["content-type"].startswith("text/html")
    assert script.headers["content-type"].partition(";")[0] in ("text/javascript", "application/javascript")
    policy = page.headers["content-security-policy"]
    assert {"default-src 'none'", "script-src 'self'", "connect-src 'self'"} <= set(policy.split("; "))
    assert '<script src="reuse.js">' in page.text and "http" not in page.text + script.text


def test_the_page_is_no_call_for_programs(client: Any) -> None:
    paths = client.get("/mlsteps/openapi.json").json()["paths"]
    assert not [path for path in paths if "reuse" in path]
    assert client.post("/mlsteps/reuse").status_code == 405


def test_each_run_of_a_dag_has_the_tab(client: Any, token: Callable[[str], dict[str, str]]) -> None:
    plugins = client.get("/api/v2/plugins?limit=200", headers=token("admin")).json()["plugins"]
    (view,) = next(plugin for plugin in plugins if plugin["name"] == "mlsteps")["external_views"]
    assert (view["name"], view["destination"]) == ("Reuse", "dag_run")
    path, _, query = view["href"].partition("?")
    assert client.get(f"/{path}").status_code == 200
    assert query == "dag_id={DAG_ID}&run_id={RUN_ID}"
