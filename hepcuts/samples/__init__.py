"""Events with weights and systematic variations, from memory, files or a seed."""
