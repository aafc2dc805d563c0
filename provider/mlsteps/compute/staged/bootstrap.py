"""What a container starts with: fetches the launcher and becomes it. Its text is handed over, not the file.

``python -c TEXT ROOT`` with a variable that holds the signed address of the launcher's zip, and its digest.
Python 3.9 and the standard library; what it cannot do it says in one line, without the address.
"""

import hashlib
import os
import signal
import sys
import time
import urllib.request

PAUSES = (0.5, 1.0, 2.0, 4.0, 8.0)


def fetched(address: str) -> bytes:
    """What is at an address, asked for several times."""
    for pause in (*PAUSES, 0.0):
        try:
            with urllib.request.urlopen(address, timeout=30) as answer:
                return bytes(answer.read())
        except Exception as error:
            problem = f"{type(error).__name__}: {error}"
            time.sleep(pause)
    sys.exit(f"mlsteps: the launcher cannot be fetched from {address.partition('?')[0]}: {problem}")


def main() -> None:
    """Fetch the launcher, and become it."""
    # The first process of a container ignores what it does not handle.
    signal.signal(signal.SIGTERM, lambda *_: os._exit(143))
    root = sys.argv[1]
    address, digest = os.environ.pop("MLSTEPS_LAUNCHER").split()
    data = fetched(address)
    if hashlib.sha256(data).hexdigest() != digest:
        sys.exit("mlsteps: the launcher that was fetched is not the one that was sent")
    path = os.path.join(root, "launcher.zip")
    with open(path, "wb") as file:
        file.write(data)
    os.execv(sys.executable, [sys.executable, "-I", "-S", path])


if __name__ == "__main__":
    main()
