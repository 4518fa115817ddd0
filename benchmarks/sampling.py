"""Time the class x tumour model: without draws, drawn with effects integrated, and drawn as brms would write it.

    python benchmarks/sampling.py

The naive model samples every effect, not centred, as brms does for y | se(se) ~ 1 + (1 | class) + (1 | tumor) + (1 |
class:tumor) + (1 | agent) + (1 | study); its effects are independent within a factor. All are drawn by nutpie and by
PyMC's own NUTS: four chains of 1,000 draws after 1,000, the same priors of the standard deviations. What counts is the
smallest effective sample size among the overall mean and the standard deviations. Writes a section of RESULTS.md.
"""

from __future__ import annotations

import logging
import os
import platform
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

for _name in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

import numpy as np  # noqa: E402  (after the number of threads is set)
from results import write_section  # noqa: E402

from igfmeta.bayes.components import Kernels, class_by_tumor, default_priors  # noqa: E402
from igfmeta.bayes.crossed import crossed_posterior  # noqa: E402
from igfmeta.bayes.mcmc.crossed import crossed_model  # noqa: E402
from igfmeta.bayes.mcmc.sampling import load_pymc  # noqa: E402
from igfmeta.version import __version__  # noqa: E402

DRAWS, TUNE, CHAINS, SEED = 1000, 1000, 4, 20261125

#: Repetitions of what takes no compilation.
RUNS = 11


@dataclass(frozen=True)
class Set:
    """Effects with their covariance, and where each belongs."""

    label: str
    y: Any
    covariance: Any
    codes: dict[str, Any]
    n_classes: int
    n_tumors: int

    def factors(self) -> Any:
        of = self.codes
        return class_by_tumor(
            of["class"].tolist(), of["tumor"].tolist(), of["agent"].tolist(), n_classes=self.n_classes,
            n_tumors=self.n_tumors, priors=default_priors(), studies=of["study"].tolist(),
        )  # fmt: skip


@dataclass(frozen=True)
class Timed:
    """How much processor time something took (seconds), and what its draws are worth."""

    preparation: float
    sampling: float
    size: float
    divergences: int


def evidence() -> Set:
    """Return the shipped evidence on overall survival."""
    from igfmeta.evidence import load_evidence
    from igfmeta.synthesis.hierarchy_inputs import hierarchy_data

    data = hierarchy_data(load_evidence(tables=("trials",)), outcome="os")
    names = {"class": "agent_class", "tumor": "tumor_type", "agent": "agent"}
    codes = {
        key: np.unique([getattr(s, own) for s in data.studies], return_inverse=True)[1] for key, own in names.items()
    }
    codes["study"] = data.trial
    y = data.y
    return Set(
        f"the shipped evidence on overall survival, {len(y)} effects", y, data.covariance, codes,
        int(codes["class"].max()) + 1, int(codes["tumor"].max()) + 1,
    )  # fmt: skip


def simulated(k: int = 60) -> Set:
    """Return studies of three classes and eight tumours."""
    rng = np.random.default_rng(SEED)
    codes = {"class": rng.integers(3, size=k), "tumor": rng.integers(8, size=k), "study": np.arange(k)}
    codes["agent"] = codes["class"] * 3 + rng.integers(3, size=k)
    v = rng.uniform(0.01, 0.15, k)
    theta = 0.2 * rng.normal(size=3)[codes["class"]] + 0.2 * rng.normal(size=8)[codes["tumor"]]
    y = theta + np.sqrt(0.15**2 + v) * rng.normal(size=k)
    return Set(f"{k} simulated effects, three classes, eight tumours", y, np.diag(v), codes, 3, 8)


def naive_model(data: Set) -> Any:
    """Return the model with every effect sampled, not centred."""
    pm = load_pymc()
    codes = dict(data.codes)
    codes["class:tumor"] = np.unique(codes["class"] * data.n_tumors + codes["tumor"], return_inverse=True)[1]
    with pm.Model() as model:
        theta = pm.Flat("mu", initval=float(data.y.mean()))
        sds = []
        for name, prior in default_priors().items():
            sd = pm.HalfNormal(f"sd_{name}", prior.scale)
            z = pm.Normal(f"z_{name}", 0, 1, shape=int(codes[name].max()) + 1)
            theta = theta + sd * z[codes[name]]
            sds.append(sd)
        pm.Deterministic("sd", pm.math.stack(sds))
        if np.count_nonzero(data.covariance - np.diag(np.diagonal(data.covariance))):
            pm.MvNormal("y", theta, cov=data.covariance, observed=data.y)
        else:
            pm.Normal("y", theta, np.sqrt(np.diagonal(data.covariance)), observed=data.y)
    return model


def exact(data: Set) -> Timed:
    """Return the time of the engine that draws only standard deviations, by importance sampling."""
    factors = data.factors()
    cells = data.n_classes * data.n_tumors
    times, posterior = [], None
    for run in range(RUNS):
        start = time.process_time()
        posterior = crossed_posterior(
            data.y, data.covariance, factors, Kernels.of(factors, cells), rng=np.random.default_rng(run)
        )
        times.append(time.process_time() - start)
    assert posterior is not None
    return Timed(0.0, float(np.median(times)), posterior.effective_size, 0)


def drawn(model: Any, sampler: str, target: float) -> Timed:
    """Return the times of compilation and of sampling, and what the draws are worth."""
    import arviz as az

    started = time.process_time()
    if sampler == "nutpie":
        import nutpie

        made = nutpie.compile_pymc_model(model)
        compiled = time.process_time()
        tree = nutpie.sample(
            made, draws=DRAWS, tune=TUNE, chains=CHAINS, cores=1, seed=SEED, target_accept=target,
            progress_bar=False,
        )  # fmt: skip
    else:
        pm = load_pymc()
        with model:
            step = pm.NUTS(target_accept=target)
            compiled = time.process_time()
            tree = pm.sample(
                draws=DRAWS, tune=TUNE, chains=CHAINS, cores=1, random_seed=SEED, step=step, progressbar=False,
                compute_convergence_checks=False, nuts_sampler="pymc",
            )  # fmt: skip
    ended = time.process_time()
    sizes = az.ess(tree["posterior"].to_dataset()[["mu", "sd"]], method="bulk")
    size = min(float(sizes[name].min()) for name in ("mu", "sd"))
    return Timed(compiled - started, ended - compiled, size, int(tree["sample_stats"]["diverging"].sum()))


def rows(data: Set) -> list[tuple[str, Timed]]:
    """Return what is timed on one set."""
    weights: dict[str, Callable[[], Any]] = {
        "effects integrated": lambda: crossed_model(data.y, data.covariance, data.factors()),
        "every effect sampled": lambda: naive_model(data),
    }
    out = [("igfmeta, default engine (no PyMC)", exact(data))]
    for label, build in weights.items():
        ours = "igfmeta --mcmc" if label == "effects integrated" else "brms-style"
        out += [
            (f"{ours}: {label}, {sampler}, target 0.95", drawn(build(), sampler, 0.95))
            for sampler in ("nutpie", "pymc")
        ]
    out.append(("brms-style: every effect sampled, nutpie, target 0.8", drawn(naive_model(data), "nutpie", 0.8)))
    return out


def section(found: list[tuple[Set, list[tuple[str, Timed]]]]) -> str:
    """Return the section of the page."""
    lines = [
        "## Draws",
        "",
        f"The class x tumour model; igfmeta {__version__}, PyMC {version('pymc')}, nutpie {version('nutpie')}, Python "
        f"{platform.python_version()}; four chains of {DRAWS:,} draws after {TUNE:,}, one after the other. Seconds are "
        "of processor time, which does not depend on what else the machine did. ESS: the smallest bulk effective "
        "sample size of the overall mean and the standard deviations; of the default engine that of its importance "
        "weights. Written by `benchmarks/sampling.py`.",
    ]
    for data, timed in found:
        lines += [
            "",
            f"{data.label[0].upper()}{data.label[1:]}:",
            "",
            "| engine | compile, s | run, s | ESS | ESS per s of run | ESS per s with compilation | divergences |",
            "|---|---|---|---|---|---|---|",
        ]
        for label, t in timed:
            whole = t.size / (t.preparation + t.sampling)
            lines.append(
                f"| {label} | {t.preparation:.1f} | {t.sampling:.3g} | {t.size:,.0f} | {t.size / t.sampling:,.0f} | "
                f"{whole:,.0f} | {t.divergences} |"
            )
    lines += ["", _verdict([each for _, timed in found for each in timed])]
    return "\n".join(lines) + "\n"


def _verdict(timed: list[tuple[str, Timed]]) -> str:
    """Return which models had divergent transitions, after which draws are not to be used as they are."""
    counted = []
    for what in ("effects integrated", "every effect sampled"):
        runs = [t for label, t in timed if what in label]
        counted.append(f"{what}: {sum(t.divergences > 0 for t in runs)} of {len(runs)}")
    return (
        f"Runs with divergent transitions, whose draws are not to be used as they are: {'; '.join(counted)}. A step of "
        "the integrated model factors the covariance of all effects: with many effects it costs more than a step of "
        "the naive one."
    )


def main() -> None:
    """Time everything and write the section."""
    warnings.simplefilter("ignore")
    logging.getLogger("pymc").setLevel(logging.CRITICAL)
    text = section([(data, rows(data)) for data in (evidence(), simulated())])
    write_section("draws", text)
    print(text)


if __name__ == "__main__":
    main()
