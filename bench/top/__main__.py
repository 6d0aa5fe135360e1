"""``python -m ganiq`` is the ``ganiq`` command."""

from .bench.cli import main

if __name__ == "__main__":
    main()
