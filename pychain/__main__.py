"""`python -m pychain`: the same as the `pychain` command."""

from pychain.cli.main import main

if __name__ == "__main__":
    main()
