"""Soft cuts over events: thresholds in coordinates -> sums of pass weights with their slopes -> an objective.

The rooms, from the bottom: `coordinates` (ranks), `layouts` (which cut weighs which event), `sums` (the kernel in JAX),
`events` (what is summed, and which events can be left out), `constraints`, `evaluators` (objective and guards of sums),
`problem` (what is asked), `spaces` (bounds, starts, widths), `search` (all of it as one function of thresholds) and
`lines` (an objective along one threshold). Whatever moves thresholds stands on `search`: `hepcuts.optimization`,
working points, discriminants trained with the cuts.
"""
