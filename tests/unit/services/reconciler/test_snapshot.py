import tracemalloc
from dataclasses import replace
from pathlib import Path

from runner.messages.run_record import new_record
from runner.services.reconciler.classify import draw
from runner.services.reconciler.snapshot import take
from runner.settings import Settings
from runner.state.runs import History
from runner.state.uploads import Ledger, Upload
from runner.template.stack_template import load

TEMPLATE = load(Path("template.yaml"))
FILES = 2000


def test_a_balance_of_many_files_takes_memory_for_few(tmp_path: Path):
    settings = replace(Settings.from_env({}), data=tmp_path)
    ledger, history = Ledger(settings.state), History(settings.state)
    for number in range(FILES):
        key = f"{number:05}.csv"
        ledger.put(Upload(key, 1, 1, 1, "sha256", f"e{number}", "epoch", float(number)))
        item = {"bucket": "in", "key": key, "size": 1, "etag": f"e{number}"}
        history.add(new_record("skipped", "r", inputs=[item], reason="no route" * 100), "skipped")
    tracemalloc.start()
    sheet = draw(take(settings, TEMPLATE, ledger, history, None, 50))
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert sheet.counts()["skipped"] == FILES
    assert peak_bytes / FILES < 200
    ledger.close()
    history.close()
