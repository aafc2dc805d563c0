import os
import subprocess
import sys
import time
from pathlib import Path

meeting_point, result = Path(sys.argv[1]), Path(sys.argv[2])
if (meeting_point / "go").exists():
    result.write_text("done\n")
    sys.exit()
child = subprocess.Popen(["sleep", "600"])
daemon = subprocess.Popen(["sleep", "600"], start_new_session=True)
result.write_text("half")
(meeting_point / "draft").write_text(f"{os.getpid()} {os.getppid()} {child.pid} {daemon.pid}")
os.replace(meeting_point / "draft", meeting_point / "pids")
time.sleep(600)
