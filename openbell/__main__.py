"""`python -m openbell` is the `openbell` command."""

from openbell.cli import main

main()
