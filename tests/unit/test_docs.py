"""README and docs are true and readable: files, links, settings and commands exist, pages stay short."""

import re
from pathlib import Path

import pytest

from runner.settings import Settings

DOCS = [Path("README.md"), Path("CONTRIBUTING.md"), *Path("docs").rglob("*.md"), *Path("pipelines").glob("*/README.md")]
PAGES = sorted(Path("docs").glob("*.md"))
WRITTEN_PLAINLY = [Path("README.md"), Path("CONTRIBUTING.md"), Path("CHANGELOG.md"), *PAGES]
# Words for which the field has a better one: fix, report, re-queue, snapshot, outcome, run records.
NOT_OUR_WORDS = r"\b(mend|mended|told|tells|takes? up|taken up|gives? up|census|verdict|ledger)\b"
# Documented ahead of the command itself.
COMING = {"env"}


def shell_lines(text: str) -> list[str]:
    """The lines of all fenced blocks of shell commands."""
    return "\n".join(re.findall(r"^ *```(?:bash|console)\n(.*?)^ *```", text, re.MULTILINE | re.DOTALL)).splitlines()


def command_names(visible_only: bool = False) -> set[str]:
    """The commands of `runner`, as they are typed."""
    from runner.cli.app import app

    commands = [command for command in app.registered_commands if not (visible_only and command.hidden)]
    names = {command.name or getattr(command.callback, "__name__", "") for command in commands}
    groups = {group.name for group in app.registered_groups if isinstance(group.name, str)}
    return {name.replace("_", "-") for name in names} | groups


@pytest.mark.parametrize("doc", DOCS, ids=str)
def test_links_lead_to_files(doc: Path):
    text = doc.read_text()
    targets = re.findall(r"\]\(([^)#]+)", text) + re.findall(r"^\[\w+\]: (\S+)", text, re.MULTILINE)
    missing = [target for target in targets if "://" not in target and not (doc.parent / target).exists()]
    assert not missing


@pytest.mark.parametrize("doc", DOCS, ids=str)
def test_links_into_pages_lead_to_headings(doc: Path):
    for target, anchor in re.findall(r"\]\(([\w./-]*)#([\w-]+)\)", doc.read_text()):
        page = doc.parent / target if target else doc
        headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
        assert anchor in [re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings], anchor


@pytest.mark.parametrize("doc", DOCS, ids=str)
def test_named_scripts_exist(doc: Path):
    named = set(re.findall(r"\bscripts/([a-z-]+)\b", doc.read_text()))
    assert not [name for name in named if not Path("scripts", name).exists()]


@pytest.mark.parametrize("doc", DOCS, ids=str)
def test_named_commands_exist(doc: Path):
    text = doc.read_text()
    inline = re.findall(r"`runner ([a-z][a-z-]*)", text)
    fenced = re.findall(r"(?:^|[ (])(?:scripts/)?runner ([a-z][a-z-]*)", "\n".join(shell_lines(text)), re.MULTILINE)
    assert {*inline, *fenced} <= command_names() | COMING


def test_every_command_is_documented():
    documented = re.findall(r"^\| `runner ([a-z][a-z-]*)", Path("docs/commands.md").read_text(), re.MULTILINE)
    assert command_names(visible_only=True) - set(documented) == set()


@pytest.mark.parametrize("page", WRITTEN_PLAINLY, ids=str)
def test_pages_use_the_words_of_the_field(page: Path):
    assert not re.findall(NOT_OUR_WORDS, page.read_text(encoding="utf-8"), re.IGNORECASE)


@pytest.mark.parametrize("page", WRITTEN_PLAINLY, ids=str)
def test_pages_are_short_and_their_lines_too(page: Path):
    lines = page.read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 150
    assert not [line for line in lines if len(line) > 120]


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_a_page_says_first_what_it_is_about(page: Path):
    assert re.match(r"# .+\n\n\*\*What you will learn:\*\* ", page.read_text())


def test_the_index_lists_every_page():
    index = re.findall(r"\]\(([a-z-]+\.md)\)", Path("docs/README.md").read_text())
    assert sorted(index) == sorted(page.name for page in PAGES if page.name != "README.md")


def test_every_setting_is_documented_and_no_other():
    documented = set(re.findall(r"^\| `([A-Z_]+)`", Path("docs/settings.md").read_text(), re.MULTILINE))
    assert documented == set(Settings.from_env({"AWS_ENDPOINT_URL": "http://127.0.0.1:1"}).to_env())


def test_the_readme_stays_short():
    assert len(Path("README.md").read_text().splitlines()) < 135


def test_the_record_is_documented_field_by_field():
    from runner.messages.run_record import RunRecord

    table = "".join(re.findall(r"^\|.*$", Path("docs/run-record.md").read_text(), re.MULTILINE))
    assert set(RunRecord.__annotations__) <= set(re.findall(r"`([a-z_]+)`", table))


def test_every_section_of_the_old_manual_has_a_new_place():
    manual = Path.cwd().parent / "shared" / "seed" / "tsdat-aws-pipeline-template.md"
    if not manual.exists():
        pytest.skip("the old manual is not here")
    table = Path("docs/seed-manual.md").read_text().lower()
    sections = re.findall(r"^#+ \*\*(.+?)\*\*", manual.read_text(), re.MULTILINE)
    assert len(sections) > 20
    words = {name: re.sub(r"^\d\) |^advanced: *", "", name.lower()) for name in sections[1:]}
    short = {"create an aws account for your project": "1) aws account", "install docker": "4) docker",
             "create an aws account for your user with the adminstrator role": "2) administrator role",
             "create an amazon elastic container registry (ecr) repository": "3) ecr repository",
             "install aws cli": "5) aws cli", "install aws sam cli": "6) sam cli",
             "configure aws authentication for using the cli": "7) authentication",
             "set your aws_profile environment variable (optional)": "8) `aws_profile`"}  # fmt: skip
    assert not [name for name, text in words.items() if short.get(text, text) not in table]
