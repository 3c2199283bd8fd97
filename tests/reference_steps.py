"""Positions of optax's Adam and SGD on the way down a curved valley, in 64 bits.

Made by optax 0.2.8 with ``python -m tests.reference_steps``, which prints them anew; optax is otherwise not needed.
"""

import numpy as np

START = (-1.2, 1.0, 0.3)
ADAM_STEP = 0.05
SGD_STEP = 0.002
AFTER = (1, 2, 10, 60)
"""Numbers of steps after which the position is given."""


ADAM = [
    [-1.1500000000195925, 0.9500000000260417, 0.3499999999642857],
    [-1.1004140890402117, 0.9012120082380727, 0.3993519413376384],
    [-0.7583653647161049, 0.6870975920221649, 0.6686193757538037],
    [-0.53269322815584, 0.39862540543698965, 0.19646403657444647],
]
SGD = [
    [-1.14896, 0.9616, 0.328],
    [-1.1074111524483892, 0.93019298271232, 0.35186698240000003],
    [-0.9298867920232057, 0.801365225144182, 0.45939075745539004],
    [-0.7608146894668396, 0.6795652740510211, 0.4921654754035947],
]


def valley(position):
    """Rosenbrock's function in three dimensions, and its gradient."""
    x, y = position[:-1], position[1:]
    value = float(np.sum(10.0 * (y - x**2) ** 2 + (1.0 - x) ** 2))
    gradient = np.zeros_like(position)
    gradient[:-1] += -40.0 * x * (y - x**2) - 2.0 * (1.0 - x)
    gradient[1:] += 20.0 * (y - x**2)
    return value, gradient


def main() -> None:
    import jax
    import optax

    jax.config.update("jax_enable_x64", True)
    for name, rule in (("ADAM", optax.adam(ADAM_STEP)), ("SGD", optax.sgd(SGD_STEP))):
        position = np.array(START)
        state = rule.init(position)
        print(f"{name} = [")
        for number in range(1, AFTER[-1] + 1):
            updates, state = rule.update(valley(position)[1], state, position)
            position = np.asarray(optax.apply_updates(position, updates))
            if number in AFTER:
                print(f"    {position.tolist()},")
        print("]")


if __name__ == "__main__":
    main()
