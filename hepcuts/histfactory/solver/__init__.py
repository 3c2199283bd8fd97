"""The solver behind all fits: NumPy on the host, many likelihoods side by side, nothing to compile.

`layout` lists which number acts where, `expansion` evaluates the deviance and its derivatives, `newton` walks to the
minimum, and `walls` looks for those that it does not see. Only `hepcuts.histfactory.minimization` calls it.
"""
