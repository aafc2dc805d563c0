import sys
from pathlib import Path

Path(sys.argv[1]).write_text(str(sum(int(Path(part).read_text()) for part in sys.argv[2:])))
