"""The part of ``root.py`` that runs in ROOT: ``root_tasks.py HS3 GIVEN`` prints ln L at places, and fits, as JSON."""

import json
import math
import sys
import time
from pathlib import Path
from typing import Any

import ROOT

TIGHT = 1e-3
"""Of Minuit's own tolerance, an estimated distance of 1e-4 in ln L."""


class Likelihood:
    """The sum of -ln L of the channels, and of all constraints."""

    def __init__(self, path: str, name: str) -> None:
        self.workspace = ROOT.RooWorkspace("workspace")
        assert ROOT.RooJSONFactoryWSTool(self.workspace).importJSON(path)
        config = self.workspace.obj(name)
        pdf, constraints = config.GetPdf(), {one.GetName(): one for one in config.GetExternalConstraints()}
        several, self.kept = pdf.InheritsFrom("RooSimultaneous"), []
        data = [one.GetName() for one in self.workspace.allData() if one.GetName().startswith("observed_")]
        for channel in (one.removeprefix("observed_") for one in data):
            whole = pdf.getPdf(channel) if several else pdf
            for part in whole.pdfList() if whole.InheritsFrom("RooProdPdf") else [whole]:
                if part.InheritsFrom("RooRealSumPdf"):
                    self.kept.append(part.createNLL(self.workspace.data("observed_" + channel), Extended=True))
                else:
                    constraints[part.GetName()] = part
        for number, part in enumerate(constraints.values()):
            self.kept.append(ROOT.RooFormulaVar(f"constraint_{number}", "-log(@0)", ROOT.RooArgList(part)))
        terms = ROOT.RooArgList()
        for one in self.kept:
            terms.add(one)
        self.total = ROOT.RooAddition("total", "total", terms)

    def at(self, values: dict[str, float]) -> float:
        """-ln L."""
        for key, value in values.items():
            if self.workspace.var(key):
                self.workspace.var(key).setVal(value)
        return float(self.total.getVal())

    def fitted(self, start: dict[str, float], poi: str, *, held: bool, tight: bool) -> tuple[float, float]:
        """-ln L and the signal strength where Minuit ends."""
        self.at(start)
        self.workspace.var(poi).setConstant(held)
        minimizer = ROOT.RooMinimizer(self.total)
        minimizer.setPrintLevel(-1)
        minimizer.setStrategy(1)
        minimizer.setEps(TIGHT if tight else 1.0)
        minimizer.minimize("Minuit2", "migrad")
        self.workspace.var(poi).setConstant(False)
        return float(self.total.getVal()), float(self.workspace.var(poi).getVal())


def fits(likelihood: Likelihood, given: dict[str, Any]) -> dict[str, float]:
    """q0 and the signal strength of Minuit's fits from nominal parameters, and the lower of these and from ours."""
    poi, nominal, none = given["poi"], given["places"][0], {given["poi"]: 0.0}
    ours = {"best_fit": {}, "background_only": none}
    stock = [likelihood.fitted(nominal | extra, poi, held=bool(extra), tight=False) for extra in ({}, none)]
    again = [likelihood.fitted(given[key] | extra, poi, held=bool(extra), tight=True) for key, extra in ours.items()]
    free, conditional = (min(both) for both in zip(stock, again, strict=True))
    return {
        "q0": max(2.0 * (conditional[0] - free[0]), 0.0) if free[1] > 0 else 0.0,
        "stock": max(2.0 * (stock[1][0] - stock[0][0]), 0.0) if stock[0][1] > 0 else 0.0,
        "mu-hat": free[1],
    }


def main() -> None:
    """Read, evaluate, fit, print."""
    path, given = sys.argv[1], json.loads(Path(sys.argv[2]).read_text())
    ROOT.RooMsgService.instance().setGlobalKillBelow(ROOT.RooFit.FATAL)
    likelihood, poi = Likelihood(path, given["name"]), given["poi"]
    for name, (low, high) in given["bounds"].items():
        if likelihood.workspace.var(name):
            likelihood.workspace.var(name).setRange(max(low, 0.0) if name == poi else low, high)
    places, began = given["places"], time.process_time()
    found: dict[str, Any] = {"version": ROOT.__version__, "ln L": [-likelihood.at(one) for one in places]}
    free, none = (likelihood.at(given[key]) for key in ("best_fit", "background_only"))
    found["q0 at our minima"] = 2.0 * (none - free)
    assert math.isfinite(none - free)
    if given["fits"]:
        found |= fits(likelihood, given)
    found["seconds"] = time.process_time() - began
    print(json.dumps(found))


if __name__ == "__main__":
    main()
