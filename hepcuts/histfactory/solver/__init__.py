"""The solver behind all fits: NumPy on the host, many likelihoods side by side, nothing to compile.

`layout` lists which number acts where, `expansion` evaluates the deviance and its derivatives, `newton` walks to the
minimum, `walls` looks for those that it does not see, and `jumps` goes from one smooth piece to the next where rates
jump. Only `hepcuts.histfactory.searches` and `hepcuts.histfactory.minimization` call it.
"""
