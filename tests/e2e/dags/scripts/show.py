import sys
from pathlib import Path

print("the result is", Path(sys.argv[1]).read_text())
