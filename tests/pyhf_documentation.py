"""Every model that pyhf's documentation, docstrings and validation show, with the results published beside it.

Models are written anew from the published numbers; `source` names the page, notebook or test of pyhf (repository
scikit-hep/pyhf) that they come from. Left out are binderexample, whose histograms are in a ROOT file only,
custom_modifiers, whose modifier no other program knows, and the models on HEPData (Recast, ImpactPlot, pullplot), of
which the ATLAS sbottom likelihood is tested elsewhere.

Published results are old: SciPy or minuit found them at default settings, with the interpolation codes of their time.
They are good to some 1e-5 in the square root of a test statistic, which is up to 1.5e-4 of a small CLs, and to some
1e-4 in parameters; hepcuts and the reference agree with each other to 1e-14 where they differ from what is printed.
"""

import dataclasses
from typing import Any

import pyhf

from .models import MU, channel, histosys, mod, normsys, sample

Spec = dict[str, Any]

CODES_NOW = {"normsys": {"interpcode": "code4"}, "histosys": {"interpcode": "code4p"}}
CODES_THEN = {"normsys": {"interpcode": "code1"}, "histosys": {"interpcode": "code0"}}
"""pyhf's defaults before version 0.5, with which the older results were found."""


@dataclasses.dataclass(frozen=True)
class Limit:
    """A published CLs at signal strength 1.

    Attributes:
        statistic: "q" or "qtilde".
        observed: CLs of the observations.
        expected: the band at -2, -1, 0, 1, 2 standard deviations, if it is published.
    """

    statistic: str
    observed: float
    expected: tuple[float, ...] = ()


@dataclasses.dataclass(frozen=True)
class Documented:
    """A model of the documentation.

    Attributes:
        source: where it is shown.
        spec: as `pyhf.Model` takes it.
        observations: observed counts, in pyhf's order of channels.
        poi: the parameter of interest.
        codes: interpolation codes of the published results.
        limit: a published CLs.
        fit: published best-fit parameters.
        background_only: published parameters of the fit without signal.
        q0: published discovery test statistic.
    """

    source: str
    spec: Spec
    observations: tuple[float, ...]
    poi: str = "mu"
    codes: Spec = dataclasses.field(default_factory=lambda: CODES_NOW)
    limit: Limit | None = None
    fit: tuple[float, ...] = ()
    background_only: tuple[float, ...] = ()
    q0: float | None = None

    def model(self) -> pyhf.Model:
        """The model, validated by pyhf."""
        return pyhf.Model(self.spec, poi_name=self.poi, modifier_settings=self.codes)

    def data(self, model: pyhf.Model) -> list[float]:
        """Observations and nominal auxiliary data."""
        return [*self.observations, *model.config.auxdata]


def uncorrelated(signal: list[float], background: list[float], uncertainty: list[float]) -> Spec:
    """As `pyhf.simplemodels.uncorrelated_background`, which the documentation uses most."""
    shape = mod("shapesys", "uncorr_bkguncrt", uncertainty)
    return {
        "channels": [channel("singlechannel", sample("signal", signal, MU), sample("background", background, shape))]
    }


def lumi(sigma: float, low: float, high: float, **options: Any) -> Spec:
    """A luminosity of 1."""
    return {"name": "lumi", "auxdata": [1.0], "sigmas": [sigma], "bounds": [[low, high]], "inits": [1.0], **options}


HELLO_WORLD = uncorrelated([12.0, 11.0], [50.0, 52.0], [3.0, 7.0])
HELLO_BAND = (0.0026062609501074576, 0.01382005356161206, 0.06445320535890459, 0.23525643861460702, 0.573036205919389)
SIGNAL_STRENGTH = mod("normfactor", "SigXsecOverSM")

COUPLED_HISTOSYS = {
    "channels": [
        channel(
            "signal",
            sample("signal", [30.0, 35.0], MU),
            sample("bkg1", [100.0, 100.0], histosys("coupled_histosys", [110.0, 110.0], [90.0, 90.0])),
            sample("bkg2", [50.0, 120.0], histosys("coupled_histosys", [55.0, 55.0], [45.0, 45.0])),
        ),
        channel(
            "control",
            sample("background", [105.0, 100.0], histosys("coupled_histosys", [110.0, 115.0], [95.0, 90.0])),
        ),
    ]
}

DOCUMENTED: dict[str, Documented] = {
    "hello-world": Documented(
        "README; docstrings of pyhf.infer.hypotest, of mle.fit, and of most others; talks/demo.json",
        HELLO_WORLD,
        (51.0, 48.0),
        limit=Limit("qtilde", 0.05251497423736956, HELLO_BAND),
        fit=(0.0, 1.0030512, 0.96266961),
    ),
    "hello-world-excess": Documented(
        "docstring of pyhf.infer.test_statistics.q0",
        HELLO_WORLD,
        (60.0, 65.0),
        fit=(0.95260667, 0.99635345, 1.02140172),
        background_only=(0.0, 1.03050845, 1.12128752),
        q0=2.98339447,
    ),
    "hello-world-unbounded": Documented(
        "docstring of pyhf.infer.test_statistics.qmu",
        {**HELLO_WORLD, "parameters": [{"name": "mu", "bounds": [[-10.0, 10.0]]}]},
        (51.0, 48.0),
        fit=(-0.06679525, 1.00555369, 0.96930896),
    ),
    "correlated-background": Documented(
        "docstring of pyhf.simplemodels.correlated_background",
        {
            "channels": [
                channel(
                    "single_channel",
                    sample("signal", [12.0, 11.0], MU),
                    sample("background", [50.0, 52.0], histosys("correlated_bkg", [45.0, 57.0], [55.0, 47.0])),
                )
            ]
        },
        (51.0, 48.0),
    ),
    "two-bins-one-channel": Documented(
        "README and likelihood.rst, the toy example",
        uncorrelated([5.0, 10.0], [50.0, 60.0], [5.0, 12.0]),
        (50.0, 60.0),
        limit=Limit("qtilde", 0.3599840922126626),
    ),
    "one-bin": Documented(
        "README, the one bin example; test_validation, 1bin_shapesys",
        uncorrelated([10.0], [50.0], [7.0]),
        (55.0,),
        limit=Limit(
            "q",
            0.4541865416107029,
            (0.06371799398864626, 0.15096503398048894, 0.3279606950533305, 0.6046087303039118, 0.8662627605298466),
        ),
    ),
    "two-bins": Documented(
        "README, the two bin example", uncorrelated([30.0, 45.0], [100.0, 150.0], [15.0, 20.0]), (100.0, 145.0)
    ),
    "two-bins-excess": Documented(
        "notebook multiBinPois; validation/data/2bin_example1",
        uncorrelated([30.0, 95.0], [100.0, 150.0], [15.0, 20.0]),
        (120.0, 180.0),
    ),
    "discovery": Documented("validation/data/1bin_example1_p0", uncorrelated([25.0], [50.0], [7.0]), (80.0,)),
    "counting-experiment": Documented(
        "notebooks toys and UsingCalculators",
        uncorrelated([6.0], [9.0], [3.0]),
        (9.0,),
        limit=Limit(
            "qtilde",
            0.1677886052335611,
            (0.01596890401598493, 0.05465770873260968, 0.1677886052335611, 0.4186346709326618, 0.7496413276864433),
        ),
    ),
    "empirical-test-statistics": Documented("notebook TestStatistics", uncorrelated([10.0], [100.0], [10.0]), (110.0,)),
    "minuit-errors": Documented("notebook minuit_errors", uncorrelated([2.0], [50.0], [5.0]), (65.0,)),
    "normsys": Documented(
        "notebook normsys; test_validation, 1bin_normsys",
        {
            "channels": [
                channel(
                    "singlechannel",
                    sample("signal", [30.0, 95.0], MU),
                    sample("background", [100.0, 150.0], normsys("bkg_norm", 1.1, 0.9)),
                )
            ]
        },
        (120.0, 180.0),
        codes=CODES_THEN,
        limit=Limit(
            "q",
            0.0006735317023683173,
            (
                7.471684419037561e-10,
                5.7411551509088054e-08,
                3.6898088062731205e-06,
                0.00016965731538267896,
                0.004392708998555453,
            ),
        ),
    ),
    "histosys": Documented(
        "notebook histosys; test_validation, 2bin_histosys",
        {
            "channels": [
                channel(
                    "singlechannel",
                    sample("signal", [30.0, 95.0], MU),
                    sample("background", [100.0, 150.0], histosys("bkg_norm", [102.0, 190.0], [98.0, 100.0])),
                )
            ]
        },
        (120.0, 180.0),
        codes=CODES_THEN,
        limit=Limit(
            "q",
            0.1001463460725534,
            (
                7.134513306138892e-06,
                0.00012547100627138575,
                0.001880010666437615,
                0.02078964907605385,
                0.13692494523572218,
            ),
        ),
    ),
    "histosys-one-bin": Documented(
        "validation/data/1bin_histosys",
        {
            "channels": [
                channel(
                    "singlechannel",
                    sample("signal", [30.0], MU),
                    sample("background", [100.0], histosys("bkg_norm", [110.0], [90.0])),
                )
            ]
        },
        (120.0,),
    ),
    "lumi": Documented(
        "test_validation, 1bin_lumi",
        {
            "channels": [
                channel(
                    "channel1",
                    sample("signal", [20.0], MU),
                    sample("background1", [100.0], mod("lumi", "lumi")),
                    sample("background2", [0.0], mod("lumi", "lumi")),
                )
            ],
            "parameters": [lumi(0.1, 0.0, 10.0)],
        },
        (55.0,),
        limit=Limit("q", 0.01047275, (0.01060338, 0.04022273, 0.13614217, 0.37078321, 0.71104119)),
    ),
    "staterror": Documented(
        "notebook StatError; validation/data/2bin_statex",
        {
            "channels": [
                channel(
                    "firstchannel",
                    sample("mu", [10.0, 10.0], MU),
                    sample("bkg1", [50.0, 70.0], mod("staterror", "stat_firstchannel", [10.0, 10.0])),
                    sample("bkg2", [30.0, 20.0], mod("staterror", "stat_firstchannel", [5.0, 5.0])),
                    sample("bkg3", [20.0, 15.0]),
                )
            ]
        },
        (100.0, 100.0),
    ),
    "shapefactor": Documented(
        "notebook ShapeFactor; test_validation, 2bin_2channel_coupledshapefactor",
        {
            "channels": [
                channel(
                    "signal",
                    sample("signal", [20.0, 20.0], MU),
                    sample("bkg1", [100.0, 70.0], mod("shapefactor", "coupled_shapefactor")),
                ),
                channel("control", sample("background", [100.0, 100.0], mod("shapefactor", "coupled_shapefactor"))),
            ]
        },
        (200.0, 300.0, 220.0, 230.0),
        limit=Limit(
            "q",
            0.5421679124909312,
            (0.013753299929451691, 0.048887400056355966, 0.15555296253957684, 0.4007561343326305, 0.7357169630955912),
        ),
        fit=(1.00004623, 1.99998941, 3.00000438),
    ),
    "two-channels": Documented(
        "notebook multichannel-normsys; test_validation, 2bin_2channel",
        {
            "channels": [
                channel(
                    "signal",
                    sample("signal", [10.0, 35.0], MU),
                    sample("background", [100.0, 150.0], mod("shapesys", "uncorr_bkguncrt_signal", [10.0, 10.0])),
                ),
                channel(
                    "control",
                    sample("background", [200.0, 350.0], mod("shapesys", "uncorr_bkguncrt_control", [5.0, 10.0])),
                ),
            ]
        },
        (205.0, 345.0, 110.0, 155.0),
        limit=Limit(
            "q",
            0.056332621064982304,
            (
                0.00043491354821983556,
                0.0034223000502860606,
                0.02337423265831151,
                0.1218654225510158,
                0.40382074249477845,
            ),
        ),
    ),
    "coupled-normsys": Documented(
        "notebook multichannel-coupled-normsys; test_validation, 2bin_2channel_couplednorm",
        {
            "channels": [
                channel(
                    "signal",
                    sample("signal", [10.0, 35.0], MU),
                    sample("bkg1", [100.0, 100.0], normsys("coupled_normsys", 1.1, 0.9)),
                    sample("bkg2", [50.0, 100.0], normsys("coupled_normsys", 1.5, 0.5)),
                ),
                channel("control", sample("background", [100.0, 100.0], normsys("coupled_normsys", 1.1, 0.9))),
            ]
        },
        (110.0, 105.0, 105.0, 220.0),
        codes=CODES_THEN,
        limit=Limit(
            "q",
            0.5906228034705155,
            (0.055223914655538435, 0.13613239925395315, 0.3068720101493323, 0.5839470093910164, 0.8554725461337025),
        ),
    ),
    "coupled-histosys": Documented(
        "notebook multichannel-coupled-histo; validation/data/2bin_2channel_coupledhisto",
        COUPLED_HISTOSYS,
        (110.0, 105.0, 170.0, 220.0),
        background_only=(0.29087602, 0.0),
    ),
    "coupled-histosys-with-a-kink": Documented(
        "the same with the interpolation code of test_validation, 2bin_2channel_coupledhistosys",
        COUPLED_HISTOSYS,
        (110.0, 105.0, 170.0, 220.0),
        codes=CODES_THEN,
    ),
    "shapesys-without-uncertainty": Documented(
        "test_validation, test_shapesys_nuisparfilter_validation (CLs of ROOT)",
        {
            "channels": [
                channel(
                    "channel1",
                    sample("signal", [20.0, 10.0], SIGNAL_STRENGTH),
                    sample("background1", [100.0, 10.0], mod("shapesys", "syst", [10.0, 0.0])),
                )
            ]
        },
        (100.0, 10.0),
        poi="SigXsecOverSM",
        limit=Limit(
            "qtilde",
            0.004360634405484502,
            (
                2.702197937866914e-05,
                0.00037099917612576155,
                0.004360634386335687,
                0.03815031509701916,
                0.20203027564155074,
            ),
        ),
    ),
    "xml-import": Documented(
        "notebooks XML_ImportExport and importxml, measurement GaussExample",
        {
            "channels": [
                channel(
                    "channel1",
                    sample("signal", [20.0, 10.0], normsys("syst1", 1.05, 0.95), SIGNAL_STRENGTH),
                    sample(
                        "background1",
                        [100.0, 0.0],
                        mod("lumi", "lumi"),
                        mod("staterror", "staterror_channel1", [5.000000074505806, 0.0]),
                        normsys("syst2", 1.05, 0.95),
                    ),
                    sample(
                        "background2",
                        [0.0, 100.0],
                        mod("lumi", "lumi"),
                        mod("staterror", "staterror_channel1", [0.0, 10.0]),
                        normsys("syst3", 1.05, 0.95),
                    ),
                )
            ],
            "parameters": [lumi(0.1, 0.5, 1.5, fixed=True), {"name": "syst1", "fixed": True}],
        },
        (122.0, 112.0),
        poi="SigXsecOverSM",
    ),
    "likelihood-specification": Documented(
        "likelihood.rst: each modifier and the measurement as they are shown, on yields that fit them",
        {
            "channels": [
                channel(
                    "two bins",
                    sample("signal", [3.0, 6.0], mod("normfactor", "SignalCrossSection"), mod("lumi", "lumi")),
                    sample("data-driven", [30.0, 20.0], mod("shapefactor", "data_driven")),
                    sample("correlated", [15.0, 12.0], histosys("correlated", [20.0, 15.0], [10.0, 10.0])),
                    sample(
                        "ttbar",
                        [8.0, 5.0],
                        mod("normfactor", "mu_ttbar"),
                        normsys("xsec", 1.1, 0.9),
                        mod("lumi", "lumi"),
                    ),
                ),
                channel("three bins", sample("a", [10.0, 9.0, 8.0], mod("shapesys", "rw_1CR", [1.0, 1.5, 2.0]))),
                channel("three bins more", sample("b", [10.0, 9.0, 8.0], mod("shapesys", "void", [1.0, 0.0, 2.0]))),
                channel(
                    "one bin",
                    sample("c", [1.0], mod("staterror", "mc", [0.1]), mod("normfactor", "mu_ttbar")),
                    sample("d", [7.0], normsys("xsec", 1.1, 0.9)),
                ),
                channel("data-driven control", sample("e", [300.0, 200.0], mod("shapefactor", "data_driven"))),
            ],
            "parameters": [
                lumi(0.017, 0.915, 1.085),
                {"name": "mu_ttbar", "bounds": [[0, 5]]},
                {"name": "rw_1CR", "fixed": True},
            ],
        },
        (310.0, 190.0, 9.0, 11.0, 8.0, 7.0, 10.0, 9.0, 8.0, 61.0, 47.0),
        poi="SignalCrossSection",
    ),
}
