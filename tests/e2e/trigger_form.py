"""Airflow's pages as somebody uses them who triggers a DAG: its form, and the page of the run."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

_RUN = re.compile(r"/dags/[^/]+/runs/([^/?]+)")


class TriggerForm:
    """The form that starts a run of a DAG, opened as a person does.

    :param page: The browser's.
    :param url: Of Airflow.
    """

    def __init__(self, page: Page, url: str, dag_id: str) -> None:
        self.page = page
        page.goto(f"{url}/dags/{quote(dag_id, safe='')}")
        page.get_by_role("button", name="Trigger").first.click()
        self.dialog = page.get_by_role("dialog")
        self.dialog.get_by_text("Run Parameters").wait_for()

    def titles(self) -> list[str]:
        """Of its fields, from top to bottom, as long as they are in sight."""
        labels = (
            self.dialog.get_by_test_id("config-form").locator("label[data-scope=field]").filter(visible=True)
        )
        return [text.removesuffix("*").strip() for text in labels.all_inner_texts()]

    def field(self, title: str) -> Locator:
        """A field with its title and description."""
        row = self.dialog.locator("[data-scope=field][data-part=root]")
        return row.filter(has=self.page.get_by_text(re.compile(rf"^{re.escape(title)}(\s*\*)?$")))

    def text(self, title: str) -> str:
        """What a field says of itself, besides its title."""
        return self.field(title).locator("[data-part=helper-text]").inner_text()

    def value(self, title: str) -> str:
        """The text or number that a field holds."""
        return self._box(title).input_value()

    def write(self, title: str, text: str) -> None:
        """Type a text or a number over what a field holds, and leave it."""
        box = self._box(title)
        box.fill("")
        box.press_sequentially(text)
        box.blur()

    def _box(self, title: str) -> Locator:
        return self.field(title).locator("input").first

    def choose(self, title: str, option: str) -> list[str]:
        """Choose one of what a field offers; returns all of that."""
        self.field(title).get_by_role("combobox").click()
        offered = self.page.get_by_role("option").all_inner_texts()
        self.page.get_by_role("option", name=option, exact=True).click()
        return offered

    def trigger(self) -> str:
        """Press the button; the id of the run, whose page is shown then."""
        self._press()
        self.page.wait_for_url(_RUN)
        found = _RUN.search(self.page.url)
        assert found is not None
        return unquote(found[1])

    def refused(self) -> str:
        """Press the button; what is said about it, where no run is started."""
        self._press()
        problem = self.dialog.get_by_text("400 Bad Request").locator("..")
        return problem.inner_text()

    def _press(self) -> None:
        self.dialog.get_by_test_id("trigger-dag-submit").click()


def tasks_shown(page: Page) -> dict[str, str]:
    """States by task, as a run's page lists them."""
    rows = page.get_by_test_id("table-list").locator("tbody tr")
    rows.get_by_role("link").first.wait_for()  # before, there are rows without anything
    cells = [row.locator("td").all_inner_texts() for row in rows.all()]
    return {row[1]: row[3] for row in cells}


def reuse_shown(page: Page) -> dict[str, tuple[str, str]]:
    """What became of each task and why, as the tab "Reuse" of a run's page tells."""
    page.get_by_title("Reuse", exact=True).click()
    rows = page.frame_locator("iframe[title=Reuse]").locator("tbody tr")
    rows.first.wait_for()
    cells = [row.locator("td").all_inner_texts() for row in rows.all()]
    return {row[0]: (row[1], row[2]) for row in cells}
