"""README and docs: links, files, settings and commands exist, and everything is documented."""

import re
from pathlib import Path

from runner.settings import Settings

PAGES = sorted(Path("docs").glob("*.md"))
DOCS = [Path("README.md"), Path("CONTRIBUTING.md"), *Path("docs").rglob("*.md"), *Path("pipelines").glob("*/README.md")]
PLAIN_ENGLISH = [Path("README.md"), Path("CONTRIBUTING.md"), Path("CHANGELOG.md"), *PAGES]
# The field has better words: fix, report, re-queue, snapshot, outcome, run records.
NOT_OUR_WORDS = r"\b(mend|mended|told|tells|takes? up|taken up|gives? up|census|verdict|ledger)\b"


def command_names(visible_only: bool = False) -> set[str]:
    """Return the commands of `runner`, as they are typed."""
    from runner.cli.app import app

    commands = [command for command in app.registered_commands if not (visible_only and command.hidden)]
    names = {command.name or getattr(command.callback, "__name__", "") for command in commands}
    groups = {group.name for group in app.registered_groups if isinstance(group.name, str)}
    return {name.replace("_", "-") for name in names} | groups


def test_links_lead_to_files_and_headings():
    for doc in DOCS:
        text = doc.read_text(encoding="utf-8")
        targets = re.findall(r"\]\(([^)#]+)", text) + re.findall(r"^\[\w+\]: (\S+)", text, re.MULTILINE)
        missing = [target for target in targets if "://" not in target and not (doc.parent / target).exists()]
        assert not missing, doc
        for target, anchor in re.findall(r"\]\(([\w./-]*)#([\w-]+)\)", text):
            page = doc.parent / target if target else doc
            headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
            anchors = [re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings]
            assert anchor in anchors, f"{doc}: {target}#{anchor}"


def test_named_scripts_tests_and_commands_exist():
    for doc in DOCS:
        text = doc.read_text(encoding="utf-8")
        named = re.findall(r"\b(?:scripts/[a-z-]+|tests/[\w/]+\.py)\b", text)
        moved = doc.name == "seed-manual.md"  # it also names files of the old template
        assert not [name for name in named if not Path(name).exists() and not moved], doc
        inline = re.findall(r"`runner ([a-z][a-z-]*)", text)
        blocks = re.findall(r"^ *```(?:bash|console)\n(.*?)^ *```", text, re.MULTILINE | re.DOTALL)
        fenced = re.findall(r"(?:^|[ (])(?:scripts/)?runner ([a-z][a-z-]*)", "\n".join(blocks), re.MULTILINE)
        assert {*inline, *fenced} <= command_names(), doc


def test_every_command_is_documented():
    documented = re.findall(r"^\| `runner ([a-z][a-z-]*)", Path("docs/commands.md").read_text(), re.MULTILINE)
    assert command_names(visible_only=True) - set(documented) == set()


def test_pages_use_the_words_of_the_field():
    for page in PLAIN_ENGLISH:
        assert not re.findall(NOT_OUR_WORDS, page.read_text(encoding="utf-8"), re.IGNORECASE), page


def test_each_page_begins_with_what_it_is_about():
    for page in PAGES:
        assert re.match(r"# .+\n\n\*\*What you will learn:\*\* ", page.read_text(encoding="utf-8")), page


def test_the_index_lists_every_page():
    index = re.findall(r"\]\(([a-z-]+\.md)\)", Path("docs/README.md").read_text())
    assert sorted(index) == sorted(page.name for page in PAGES if page.name != "README.md")


def test_every_setting_is_documented_and_no_other():
    documented = set(re.findall(r"^\| `([A-Z_]+)`", Path("docs/settings.md").read_text(), re.MULTILINE))
    assert documented == set(
        Settings.from_env({"AWS_ENDPOINT_URL": "http://127.0.0.1:1", "EMULATOR": "ministack"}).to_env()
    )


def test_every_field_of_the_run_record_is_documented():
    from runner.messages.run_record import RunRecord

    table = "".join(re.findall(r"^\|.*$", Path("docs/run-record.md").read_text(), re.MULTILINE))
    assert set(RunRecord.__annotations__) <= set(re.findall(r"`([a-z_]+)`", table))
