"""``python -m dovetail``: the same as the ``dovetail`` command."""

from dovetail.cli import main

main()
