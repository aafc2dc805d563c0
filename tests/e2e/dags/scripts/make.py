import sys
from pathlib import Path

from mlsteps.run import Run

path, greeting, factor, number = sys.argv[1:]
assert greeting == "hello"
Path(path).write_text(str(int(factor) * int(number)))
Run.get_context().log("number", int(number))
