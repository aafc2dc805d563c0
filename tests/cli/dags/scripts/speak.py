import sys
from pathlib import Path

from mlsteps.run import Run

path, greeting, times, rate, loud, fail = sys.argv[1:]
print(greeting, times, rate, loud)
print("aside", file=sys.stderr)
run = Run.get_context()
run.log("times", int(times))
run.parent.log("rate", float(rate))
if fail != "no":
    raise ValueError(f"asked to fail: {fail}")
Path(path).write_text(greeting * int(times))
