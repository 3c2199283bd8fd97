"""Figures of merit: what a selection is judged by."""
