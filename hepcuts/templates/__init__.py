"""All ways from events to yields, and from yields to a pyhf workspace."""
