"""``python -m ganiq`` is the ``ganiq`` command."""

from .bench.cli import main  # pyright: ignore[reportMissingImports]

if __name__ == "__main__":
    main()
