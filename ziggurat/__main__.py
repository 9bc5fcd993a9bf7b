"""`python -m ziggurat` is the same as `ziggurat`."""

from ziggurat.cli import main

main()
