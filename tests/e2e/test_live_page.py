"""The live page in a real browser: files travel, plots zoom, failures are retried, and names are only text."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from runner.stack.ports import free_port
from runner.testing.docker_stack import DockerStack
from runner.testing.stacks import Stack
from tests.support import killing
from tests.support.browser import FOREIGN, chromium, drop
from tests.support.stacks import BACKENDS, BUOY, ROOT, TIDE, running_on

PIPELINE = "pipelines/tide_gauge/pipeline.py"
OUTPUT = "data/humboldt/humboldt.buoy_z05-10m.a1/humboldt.buoy_z05-10m.a1.20201201.000000.nc"
HOSTILE = "<img src=x onerror=document.title='run'>"
# Five attempts, each of which may be slow on a busy machine.
PATIENCE_MS = 60_000


class Shown:
    """A stack on a copy of the project, and the address of its page."""

    def __init__(self, stack: Stack, project: Path, url: str) -> None:
        self.stack, self.project, self.url = stack, project, url
        self.has_docker = isinstance(stack, DockerStack)

    def edit(self, name: str, old: str, new: str) -> None:
        path = self.project / name
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))


@pytest.fixture(scope="module", params=BACKENDS)
def shown(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shown]:
    folder, port = tmp_path_factory.mktemp("page"), free_port()
    project = folder / "project"
    for name in ("pipelines", "shared", "utils"):
        shutil.copytree(ROOT / name, project / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "template.yaml", project)
    variables = {"RUNNER_WEB": "true", "PAGE_REPLICAS": "1", "RUNNER_WEB_PORT": str(port)}
    with running_on(request.param, folder / "data", project, **variables) as stack:
        yield Shown(stack, project, f"http://127.0.0.1:{port}")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture
def page(browser: Browser, shown: Shown) -> Iterator[Page]:
    """A page of the live page whose own errors fail the test."""
    context = browser.new_context(base_url=shown.url)
    page = context.new_page()
    page.set_default_timeout(20_000)
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("dialog", lambda dialog: errors.append(dialog.message))
    yield page
    context.close()
    assert not errors


@pytest.fixture(scope="module")
def travelled(browser: Browser, shown: Shown) -> str:
    """Drop a day of buoy data onto Files and wait, without a reload, until its row has succeeded."""
    page = browser.new_page(base_url=shown.url)
    page.goto("/")
    drop(page, BUOY)
    expect(page.locator("#drop-note")).to_contain_text("goes to a2e_buoy_ingest / humboldt")
    page.locator("#drop-send").click()
    row = page.locator("tr.file", has_text=BUOY.name)
    expect(row).to_be_visible()
    expect(row).to_contain_text("succeeded", timeout=PATIENCE_MS)
    assert (shown.stack.inbox / "a2e_buoy_ingest/humboldt" / BUOY.name).read_bytes() == BUOY.read_bytes()
    address = row.get_by_role("link").get_attribute("href")
    page.close()
    assert address
    return address


def test_a_dropped_file_becomes_plots(page: Page, travelled: str):
    page.goto(travelled)
    assert page.locator(".waterfall tr").count() > 4
    for picture in page.locator(".plots img").all():
        picture.scroll_into_view_if_needed()
        expect(picture).to_have_js_property("complete", value=True)
        assert picture.evaluate("image => image.naturalWidth") > 100
    assert page.locator(".plots img").count() >= 2
    page.get_by_role("link", name="Plot", exact=True).first.click()
    expect(page.locator("#plots")).to_have_attribute("data-drawn", "2")


def test_zooming_asks_for_finer_data(page: Page, travelled: str):
    page.goto(f"/data?key={OUTPUT}&var=current_speed&var=wind_speed")
    expect(page.locator("#plots")).to_have_attribute("data-drawn", "2")
    box = page.locator("#plots").bounding_box()
    assert box
    with page.expect_response(lambda answer: "var=wind_speed" in answer.url and "begin=" in answer.url) as asked:
        page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 150)
        page.mouse.wheel(0, -400)
    assert asked.value.ok
    expect(page.locator("#plots")).to_have_attribute("data-updates", "1")


def test_a_failure_is_retried_to_success(page: Page, shown: Shown):
    shown.edit(PIPELINE, "        return dataset", "        assert not 'reached'\n        return dataset")
    shown.stack.put(TIDE, f"tide_gauge/{TIDE.name}")
    page.goto("/failures")
    row = page.locator("#failures tr", has_text=TIDE.name)
    expect(row).to_be_visible(timeout=PATIENCE_MS)
    row.get_by_role("link").click()
    place = page.locator(".error a").first
    expect(place).to_have_attribute("href", f"vscode://file{shown.project}/{PIPELINE}:{_line(shown)}")
    shown.edit(PIPELINE, "        assert not 'reached'\n", "")
    page.goto("/failures")
    page.get_by_role("button", name="Retry").click()
    expect(page.locator(".notice")).to_contain_text("in the queue again")
    page.goto("/")
    expect(page.locator("tr.file", has_text=TIDE.name)).to_contain_text("succeeded", timeout=PATIENCE_MS)


def _line(shown: Shown) -> int:
    lines = (shown.project / PIPELINE).read_text().splitlines()
    return next(number for number, line in enumerate(lines, 1) if "assert not 'reached'" in line)


def test_a_problem_is_shown_with_its_line(page: Page, shown: Shown):
    config = "pipelines/tide_gauge/config/dataset.yaml"
    shown.edit(config, "units: m", "units: nonsense")
    page.goto("/pipelines")
    page.get_by_role("button", name="Check").click()
    place = page.locator("#problems a").first
    if shown.has_docker:  # whose page has no tsdat
        expect(page.locator("#problems")).to_contain_text("Run `runner check` in a terminal.")
    else:
        expect(place).to_contain_text(f"{config}:", timeout=PATIENCE_MS)
        assert str(place.get_attribute("href")).startswith(f"vscode://file{shown.project}/{config}:")
    shown.edit(config, "units: nonsense", "units: m")
    page.get_by_role("searchbox").fill("tide_gauge/x/tide_20200112000000.log")
    expect(page.locator("#takes")).to_have_text("goes to tide_gauge")


def test_a_hostile_name_is_text(page: Page, shown: Shown):
    page.goto("/")
    shown.stack.put(b"x", f"elsewhere/{HOSTILE}.csv")
    row = page.locator("tr.file", has_text="onerror")
    expect(row).to_contain_text("skipped", timeout=PATIENCE_MS)
    row.get_by_role("link").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text(HOSTILE)
    assert page.title() != "run"


def test_health_accounts_for_every_file(page: Page, shown: Shown, travelled: str):
    page.goto("/health")
    expect(page.locator("#health")).to_contain_text("ready")
    expect(page.locator("#health")).to_contain_text("docker stats" if shown.has_docker else "event source mapping")
    page.get_by_role("button", name="Reconcile").click()
    expect(page.locator("#answer")).to_contain_text("0 unaccounted for;", timeout=PATIENCE_MS)


def test_a_page_elsewhere_can_neither_read_nor_post(page: Page, shown: Shown):
    page.route(f"http://{FOREIGN}/", lambda route: route.fulfill(body="<p>evil", content_type="text/html"))
    page.goto(f"http://{FOREIGN}/")
    answers: list[int] = []
    page.on("response", lambda answer: answers.append(answer.status))
    tries = [("GET", "/files.json"), ("POST", "/failures/retry"), ("POST", "/inbox?key=evil.csv"), ("GET", "/live")]
    for method, path in tries:
        for mode in ("cors", "no-cors"):
            script = "([url, method, mode]) => fetch(url, {method, mode}).then(a => a.text(), () => '')"
            assert page.evaluate(script, [shown.url + path, method, mode]) == ""
    assert set(answers) <= {403}
    assert not (shown.stack.inbox / "evil.csv").exists()
    rebound = page.goto(shown.url.replace("127.0.0.1", FOREIGN))
    assert rebound
    assert rebound.status == 403
    assert "not this machine" in page.content()


def test_the_keyboard_reaches_everything(page: Page, travelled: str):
    page.goto("/")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.get_by_role("searchbox").focus()
    page.keyboard.type("z05")
    page.keyboard.press("Enter")
    page.wait_for_url("**name=z05**")
    while page.evaluate("document.activeElement.closest('#rows') === null"):
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_url("**/runs/*")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_all_pages_are_accessible_in_both_themes(browser: Browser, shown: Shown, travelled: str, theme: str):
    page = browser.new_page(base_url=shown.url, color_scheme=theme)  # type: ignore[arg-type]
    for address in ("/", travelled, f"/data?key={OUTPUT}", "/data", "/pipelines", "/failures", "/health"):
        page.goto(address)
        found = Axe().run(page, context="body", options={"resultTypes": ["violations"]}).response["violations"]
        serious = [(one["id"], one["nodes"][0]["html"]) for one in found if one["impact"] in ("serious", "critical")]
        assert not serious, address
        page.set_viewport_size({"width": 800, "height": 900})
        assert page.evaluate("document.documentElement.scrollWidth") <= 800, address
    page.close()


def test_the_page_heals_after_its_process_was_killed(page: Page, shown: Shown, travelled: str):
    page.goto("/")
    expect(page.locator("#connection")).to_be_hidden()
    killing.kill(shown.stack, killing.pid_of(shown.stack, "page"))
    expect(page.locator("#connection")).to_contain_text("does not answer")
    expect(page.locator("#connection")).to_be_hidden(timeout=PATIENCE_MS)
    shown.stack.put(b"x", "elsewhere/after.csv")
    expect(page.locator("tr.file", has_text="after.csv")).to_contain_text("skipped", timeout=PATIENCE_MS)
