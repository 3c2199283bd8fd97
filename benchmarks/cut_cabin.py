"""Cuts As Biases In Networks (the package ``cabin``, which needs torch): two ways to the largest significance.

A network with one bias per feature gives the product of sigmoids of the standardized features. Its weights are the
directions of the cuts and stay fixed. All events are seen in each step of Adam, since a significance is no sum over
batches. The settings were tuned by hand on other seeds for the significance on new events, which the other tools are
spared. Both end by themselves, whatever the budget is; one thread is used, as more would only take more of the
processor's time.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from cut_events import MIN_BACKGROUND, Array, CutEvents
from cut_searches import Found

SCALE = 5.0
"""The slope of the sigmoids, in units of one over the standard deviation of the signal."""


def cabin_significance(events: CutEvents, seed: int, budget: float) -> Found:  # noqa: ARG001 (all are called alike)
    """The soft significance as loss."""
    import torch  # noqa: PLC0415 (a tool that is missing is told, and the others run)
    from cabin import OneToOneLinear  # noqa: PLC0415

    torch.manual_seed(seed)
    data = _Data(events)
    network = OneToOneLinear(len(events.signal), SCALE, weights=[1.0] * len(events.signal))
    _start(network, data)

    def loss() -> Any:
        passed = data.weights * network(data.features)
        s, b = passed[data.truth].sum(), passed[~data.truth].sum()
        squares = (passed[~data.truth] * data.weights[~data.truth]).sum()
        variance = (events.relative * b) ** 2 + (squares if events.finite else 0.0)
        n = s + b
        inner = n * torch.log(n * (b + variance) / (b**2 + n * variance))
        q0 = 2.0 * (inner - b**2 / variance * torch.log1p(variance * s / (b * (b + variance))))
        # The guard of all tools, as a factor that falls where it forbids.
        return -q0 * torch.clamp(b**2 / squares / MIN_BACKGROUND, max=1.0) ** 2

    _descend(network, loss, steps=200, rate=0.05)
    return Found(data.thresholds(network.get_cuts()))


def cabin_efficiencies(events: CutEvents, seed: int, budget: float) -> Found:  # noqa: ARG001
    """Its own loss, which makes the background small at given efficiencies of the signal; the best of 12 of them."""
    import torch  # noqa: PLC0415
    from cabin import EfficiencyScanNetwork, effic_loss_fn  # noqa: PLC0415

    torch.manual_seed(seed)
    data = _Data(events)
    size, targets = len(events.signal), np.geomspace(0.01, 0.5, 12).tolist()
    network = EfficiencyScanNetwork(size, targets, weights=[1.0] * size, activationscale=SCALE)
    for target, part in zip(targets, network.nets, strict=True):
        _start(part, data, target)
    truth = data.truth.float()
    batch = min(BATCH, len(truth) // 2)
    generator = torch.Generator().manual_seed(seed)

    def loss() -> Any:
        some = torch.randint(len(truth), (batch,), generator=generator)
        found = network(data.features[some])
        return effic_loss_fn(found, truth[some], size, network, alpha=10.0, beta=1.0, gamma=1e-5).totalloss()

    _descend(network, loss, steps=1500, rate=0.01)
    return Found(max((data.thresholds(part.get_cuts()) for part in network.nets), key=events.value))


BATCH = 2**14
"""Events of one step where the loss is a mean over events; half of them all if there are fewer."""


class _Data:
    """Training events as torch has them, standardized by the signal."""

    def __init__(self, events: CutEvents) -> None:
        import torch  # noqa: PLC0415

        torch.set_num_threads(1)
        usual = np.where(np.isfinite(events.signal), events.signal, np.nan)
        self.center, self.spread = np.nanmean(usual, axis=1), np.nanstd(usual, axis=1)
        rows = (np.concatenate([events.signal, events.background], axis=1).T - self.center) / self.spread
        # What never passes lies far below every threshold.
        self.features = torch.tensor(np.where(np.isfinite(rows), rows, -100.0), dtype=torch.float32)
        weights = np.concatenate([events.signal_weights, events.background_weights])
        self.weights = torch.tensor(weights, dtype=torch.float32)
        self.truth = torch.arange(len(weights)) < len(events.signal_weights)

    def thresholds(self, cuts: Any) -> Array:
        """Thresholds from those of the standardized features."""
        return np.asarray(cuts.detach().numpy(), dtype=float) * self.spread + self.center


def _start(network: Any, data: _Data, target: float = 0.03) -> None:
    """Begin at cuts that each lose equally much of the signal, for an efficiency of about `target` together."""
    import torch  # noqa: PLC0415

    signal = data.features[data.truth]
    lost = 1.0 - target ** (1.0 / signal.shape[1])
    with torch.no_grad():
        network.bias.copy_(-torch.tensor(np.quantile(signal.numpy(), lost, axis=0)))


def _descend(network: Any, loss: Callable[[], Any], *, steps: int, rate: float) -> None:
    import torch  # noqa: PLC0415

    adam = torch.optim.Adam(network.parameters(), lr=rate)
    for _ in range(steps):
        adam.zero_grad()
        loss().backward()
        adam.step()


CABIN: dict[str, Callable[[CutEvents, int, float], Found]] = {
    search.__name__: search for search in (cabin_significance, cabin_efficiencies)
}
