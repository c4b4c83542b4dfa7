"""One file for each sub-command of ``dovetail``; what a command needs is imported when it runs."""
