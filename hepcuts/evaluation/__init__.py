"""What a selection is worth, and how sure that is."""
