"""The fresh process of `measure.in_fresh_process`: imports a module, calls one function, prints what it measured."""

import dataclasses
import importlib
import json
import sys
import warnings

from measure import Measurement


def main() -> None:
    """Call ``module.function(**arguments)`` of the command line and print its `Measurement` as JSON."""
    module, function, arguments = sys.argv[1:]
    # pyhf takes logarithms of negative rates on its way, which is no news here.
    warnings.simplefilter("ignore")
    try:
        measurement = getattr(importlib.import_module(module), function)(**json.loads(arguments))
    except ModuleNotFoundError as error:
        measurement = Measurement(skipped=f"{error.name} is not installed")
    except FileNotFoundError:
        measurement = Measurement(skipped="its data are not here")
    print(json.dumps(dataclasses.asdict(measurement)))


if __name__ == "__main__":
    main()
