"""An optimization as a file: what was found, what it is worth, and where it comes from.

`schema` says what stands in ``result.json``, `making` fills it from a result, `completing` adds the tables that take
time, `reading` reads it back, and `page` shows it.
"""
