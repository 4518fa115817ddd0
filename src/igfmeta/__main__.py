"""`python -m igfmeta`."""

from igfmeta.cli.app import main

if __name__ == "__main__":
    main()
