"""``python -m hepcuts``: the command line."""

from hepcuts.cli.commands import main

main(prog_name="hepcuts")
