"""What it means: figures, the HTML report, the table of published figures."""
