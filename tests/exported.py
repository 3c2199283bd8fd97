"""Small readers of what is exported, written from the formats' own definitions: they know nothing of hepcuts.

HS3: https://hep-statistics-serialization-standard.github.io, combine: the page "Likelihood and model" of its
documentation. Both give the logarithm of the likelihood up to a constant; fits are scipy's.
"""

import json
import re
from pathlib import Path

import numpy as np
import uproot
from scipy import optimize, special


def poisson(observed, expected):
    """Logarithm of a Poisson density, also between whole numbers."""
    return special.xlogy(observed, expected) - expected - special.gammaln(np.asarray(observed) + 1.0)


class Hs3:
    """An HS3 document of channels, Gaussians, Poissons and products."""

    def __init__(self, path):
        self.document = json.loads(Path(path).read_text())
        self.distributions = {one["name"]: one for one in self.document["distributions"]}
        self.data = {one["name"]: one for one in self.document["data"]}
        self.init = {p["name"]: p["value"] for p in self.document["parameter_points"][0]["parameters"]}

    def logpdf(self, parameters):
        values = dict(parameters)
        for function in self.document["functions"]:
            assert function["type"] == "product"
            values[function["name"]] = np.prod([self._value(f, values) for f in function["factors"]])
        (likelihood,) = self.document["likelihoods"]
        total, constrained = 0.0, set()
        for name, observed in zip(likelihood["distributions"], likelihood["data"], strict=True):
            channel = self.distributions[name]
            expected = sum(self._sample(sample, values, constrained) for sample in channel["samples"])
            total += poisson(np.array(self.data[observed]["contents"]), expected).sum()
        for name in likelihood["aux_distributions"]:
            total += self._constraint(self.distributions[name], values)
        return total - 0.5 * sum(values[name] ** 2 for name in constrained)

    def _value(self, given, values):
        return values[given] if isinstance(given, str) else given

    def _constraint(self, one, values):
        if one["type"] == "gaussian_dist":
            x, mean, sigma = (self._value(one[key], values) for key in ("x", "mean", "sigma"))
            return -0.5 * ((x - mean) / sigma) ** 2
        assert one["type"] == "poisson_dist"
        return poisson(self._value(one["x"], values), self._value(one["mean"], values))

    def _sample(self, sample, values, constrained):
        nominal = np.array(sample["data"]["contents"])
        total, factor = nominal.copy(), 1.0
        for modifier in sample["modifiers"]:
            if modifier["type"] == "normfactor":
                factor = factor * values[modifier["parameter"]]
            elif modifier["type"] == "shapefactor":
                factor = factor * np.array([values[name] for name in modifier["parameters"]])
            else:
                assert modifier["constraint"] == "Gauss"
                alpha, data = values[modifier["parameter"]], modifier["data"]
                constrained.add(modifier["parameter"])
                if modifier["type"] == "normsys":
                    factor = factor * np.exp(log_polynomial(alpha, data["lo"], data["hi"]))
                else:
                    total = total + polynomial(alpha, *(np.array(data[s]["contents"]) - nominal for s in ("lo", "hi")))
        return total * factor


def polynomial(alpha, down, up):
    """Sixth order inside of one standard deviation, linear outside."""
    if abs(alpha) >= 1:
        return alpha * up if alpha > 0 else -alpha * down
    return 0.5 * alpha * ((up - down) + 0.125 * (up + down) * (3 * alpha**5 - 10 * alpha**3 + 15 * alpha))


def log_polynomial(alpha, low, high):
    """Logarithm of a factor that is exponential outside of one standard deviation and of sixth order inside.

    The coefficients are those that make value, slope and curvature continuous at both ends, solved for here.
    """
    if abs(alpha) >= 1:
        return alpha * np.log(high) if alpha > 0 else -alpha * np.log(low)
    powers = np.arange(1, 7)
    signs = np.array([1.0, -1.0])
    rows = [s**powers for s in signs] + [powers * s ** (powers - 1) for s in signs]
    rows += [powers * (powers - 1) * s ** (powers - 2.0) for s in signs]
    logs = np.log([high, low])
    ends = np.array([high, low])
    right = [*(ends - 1), *(signs * logs * ends), *(logs**2 * ends)]
    return np.log1p(np.linalg.solve(np.array(rows), right) @ alpha**powers)


class Card:
    """A datacard with histograms, ``rateParam``, ``param``, ``lnN``, ``shape`` and ``autoMCStats``."""

    def __init__(self, path):
        self.lines = [line.split() for line in Path(path).read_text().splitlines() if line[:1] not in "#-"]
        first = {}
        for line in self.lines:
            first.setdefault(line[0], []).append(line[1:])
        self._read_head(first)
        self._read_factors()
        (_, _, file, nominal, varied), *others = first["shapes"]
        assert not others
        with uproot.open(Path(path).parent / file) as root:
            histograms = {key.partition(";")[0]: value for key, value in root.items() if "/" in key}
            self.histograms = {key: (h.values(), np.sqrt(h.variances())) for key, h in histograms.items()}
        self.templates = {cell: self._template(cell, nominal) for cell in self.cells}
        self.observed = {channel: self._template((channel, "data_obs"), nominal)[0] for channel in self.totals}
        self._read_systematics(varied)
        self.bins = {channel: self._bins(channel) for channel in self.observed}
        self.names = ["r", *self.constrained, *self.ranges]

    def _read_head(self, first):
        self.totals = dict(zip(first["bin"][0], map(float, first["observation"][0]), strict=True))
        names, ids = first["process"]
        self.cells = list(zip(first["bin"][1], names, strict=True))
        self.signals = {process for process, number in zip(names, ids, strict=True) if int(number) <= 0}
        self.rates = dict(zip(self.cells, map(float, first["rate"][0]), strict=True))
        assert int(first["imax"][0][0]) == len(self.totals)
        assert int(first["jmax"][0][0]) == len(set(names)) - 1

    def _read_factors(self):
        self.frozen = {line[3] for line in self.lines if line[:3] == ["nuisance", "edit", "freeze"]}
        self.simulation = {line[0]: [int(x) for x in line[2:]] for line in self.lines if line[1] == "autoMCStats"}
        self.gaussians = {line[0]: tuple(map(float, line[2:])) for line in self.lines if line[1] == "param"}
        self.factors, self.ranges = {}, {}
        for name, _, channel, process, init, bounds in (line for line in self.lines if line[1] == "rateParam"):
            self.factors.setdefault((channel, process), []).append(name)
            self.ranges[name] = (float(init), *map(float, re.fullmatch(r"\[(.*),(.*)\]", bounds).groups()))

    def _template(self, cell, pattern, systematic=""):
        words = {"$CHANNEL": cell[0], "$PROCESS": cell[1], "$SYSTEMATIC": systematic}
        for word, value in words.items():
            pattern = pattern.replace(word, value)
        return self.histograms[pattern]

    def _read_systematics(self, varied):
        self.norms, self.shapes = {}, {}
        for name, kind, *effects in (line for line in self.lines if line[1] in {"lnN", "shape", "shape?"}):
            for cell, effect in zip(self.cells, effects, strict=True):
                if "/" in effect:
                    assert kind != "shape"
                    self.norms.setdefault(cell, []).append((name, *map(float, effect.split("/"))))
                elif effect != "-":
                    assert (kind != "lnN", effect) == (True, "1")
                    sides = [self._template(cell, varied, f"{name}{side}")[0] for side in ("Down", "Up")]
                    self.shapes.setdefault(cell, []).append((name, *sides))
        self.constrained = sorted({n for v in (*self.norms.values(), *self.shapes.values()) for n, *_ in v})

    def _bins(self, channel):
        """For each bin: "" for no parameter, "gauss" for one, or for each process its effective events or None."""
        threshold, include_signal, mode = self.simulation[channel]
        assert (include_signal, mode) == (1, 2)
        values, errors = (np.array([self.templates[c][n] for c in self.cells if c[0] == channel]) for n in (0, 1))
        kinds = []
        for v, e in zip(values.T, errors.T, strict=True):
            if threshold < 0 or not e.any():
                kinds.append("")
            elif np.floor(0.5 + v.sum() ** 2 / (e**2).sum()) > threshold:
                kinds.append("gauss")
            else:
                kinds.append([np.floor(0.5 + (a / b) ** 2) if b > 0 else None for a, b in zip(v, e, strict=True)])
                assert all(a >= 0.999 * b for a, b in zip(v, e, strict=True)), "would be Gaussian"
        return kinds

    def logpdf(self, parameters):
        """Profiled over the parameters of single bins, which only their own bin depends on."""
        p = dict(parameters)
        total = -0.5 * sum(p[name] ** 2 for name in self.constrained)
        total -= 0.5 * sum(((p[name] - mean) / sigma) ** 2 for name, (mean, sigma) in self.gaussians.items())
        for channel, kinds in self.bins.items():
            cells = [cell for cell in self.cells if cell[0] == channel]
            norms = np.array([self._norm(cell, p) for cell in cells])
            rates = np.array([self._shape(cell, p) for cell in cells]) * norms[:, None]
            errors = np.array([self.templates[cell][1] for cell in cells]) * norms[:, None]
            for number, kind in enumerate(kinds):
                n = self.observed[channel][number]
                total += profiled(n, rates[:, number], errors[:, number], kind)
        return total

    def _norm(self, cell, p):
        value = p["r"] if cell[1] in self.signals else 1.0
        for name, low, high in self.norms.get(cell, []):
            value *= np.exp(p[name] * log_kappa(p[name], low, high))
        return value * np.prod([p[name] for name in self.factors.get(cell, [])])

    def _shape(self, cell, p):
        nominal = self.templates[cell][0]
        return nominal + sum(
            polynomial(p[n], down - nominal, up - nominal) for n, down, up in self.shapes.get(cell, [])
        )

    def fit(self, r=None):
        """Least twice negative log-likelihood, and r."""
        start = [1.0, *np.zeros(len(self.constrained)), *(init for init, _, _ in self.ranges.values())]
        bounds = [(0.0, 20.0) if r is None else (r, r), *((-5, 5) for _ in self.constrained)]
        bounds += [
            (init, init) if name in self.frozen else (low, high) for name, (init, low, high) in self.ranges.items()
        ]
        start[0] = 1.0 if r is None else r
        found = optimize.minimize(
            lambda x: -2 * self.logpdf(zip(self.names, x, strict=True)),
            start,
            bounds=bounds,
            method="L-BFGS-B",
            options={"ftol": 1e-13, "gtol": 1e-7, "maxfun": 20000},
        )
        return found.fun, found.x[0]


def log_kappa(theta, low, high):
    """What combine multiplies the parameter with: between the logarithms of its two factors, smoothly below 0.5."""
    up, down = np.log(high), -np.log(low)
    if abs(theta) >= 0.5:
        return up if theta >= 0 else down
    x = 2 * theta
    return 0.5 * (up + down) + 0.5 * (up - down) * 0.125 * x * (3 * x**4 - 10 * x**2 + 15)


def profiled(n, rates, errors, kind):
    """Logarithm of the likelihood of a bin at the best values of its own parameters, from their conditions of zero."""
    if kind == "":
        return poisson(n, rates.sum())
    if kind == "gauss":
        b, e = rates.sum(), np.sqrt((errors**2).sum())
        if e == 0:
            return poisson(n, b)
        # n e / (b + e x) - e - x = 0
        root = (-(b + e * e) + np.sqrt((b + e * e) ** 2 - 4 * e * (b * e - n * e))) / (2 * e)
        return poisson(n, b + e * root) - 0.5 * root**2
    free = np.array([m is not None for m in kind])
    events, b = np.array([m for m in kind if m is not None]), rates[free]

    # Factor of a process: m (1 + ...) from n s_i / N - s_i + m_i / v_i - m_i = 0 with N the total.
    def factors(total):
        return events / (events + b * (1 - n / total))

    def excess(total):
        return rates[~free].sum() + (b * factors(total)).sum() - total

    low = max((n * b / (events + b)).max() * (1 + 1e-12), 1e-12)
    total = optimize.brentq(excess, low, 1e3 * (rates.sum() + n + 1), xtol=1e-13, rtol=1e-14)
    v = factors(total)
    return poisson(n, total) + sum(poisson(m, m * x) - poisson(m, m) for m, x in zip(events, v, strict=True))
