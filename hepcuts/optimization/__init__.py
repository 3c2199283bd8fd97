"""The way of an optimization, of which `hepcuts.optimize` is the door.

`directions` (which side of a threshold), `starts` (several of them), `walk` (stages of widths), `jumps` (out of local
optima), `validation` (which width generalizes), `polish` and `feasibility` (hard cuts), `course` (all of it,
interrupted and resumed), `reliability` and `sensitivity` (what the result has to say of itself), `result`. `certify` is
the referee: it proves that no cuts are better.
"""
