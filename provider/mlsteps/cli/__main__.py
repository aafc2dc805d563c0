"""``python -m mlsteps.cli``."""

from mlsteps.cli import main

if __name__ == "__main__":
    main()
