"""The run-time type checker of the tests: shapes by jaxtyping, everything else by beartype; an int is a float, too."""

from beartype import BeartypeConf, beartype

check = beartype(conf=BeartypeConf(is_pep484_tower=True))
