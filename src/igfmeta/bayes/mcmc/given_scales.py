"""What is Gaussian given the standard deviations: effects of factors, cells, and each study given the others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import special

from igfmeta.bayes.components import Codes, Factor
from igfmeta.bayes.crossed import CHUNK
from igfmeta.bayes.mcmc.effects import loadings
from igfmeta.bayes.mcmc.study_scales import StudyScales
from igfmeta.numerics import Floats


@dataclass(frozen=True, eq=False)
class CrossedDraws:
    """Effects with known covariance, and draws of what makes them differ.

    Attributes
    ----------
    y : ndarray of shape (k,)
    covariance : ndarray of shape (k, k)
    factors : sequence of Factor
    weights : ndarray of shape (m, cells)
        Linear combinations of the cells that are asked for.
    mu : ndarray of shape (draws,)
    sds : ndarray of shape (draws, factors)
    own : ndarray of shape (draws, trials) or None
        Study effects where they were drawn because they are not normal; None where they are integrated out.
    scales : StudyScales or None
        Of those study effects.
    flat : bool
        Whether there is an overall mean, flat a priori; if not, the effects are around 0.
    """

    y: Floats
    covariance: Floats
    factors: Sequence[Factor]
    weights: Floats
    mu: Floats
    sds: Floats
    own: Floats | None = None
    scales: StudyScales | None = None
    flat: bool = True

    @cached_property
    def place(self) -> int:
        """Which factor is the study."""
        return [f.name for f in self.factors].index("study")

    @cached_property
    def levels(self) -> Codes:
        """The study of each effect, shape (k,)."""
        return self.factors[self.place].studies[:, 0]

    @cached_property
    def _gaussian(self) -> list[int]:
        """Which factors are integrated out."""
        return [i for i in range(len(self.factors)) if self.own is None or i != self.place]

    @cached_property
    def _residual(self) -> Floats:
        """What is left of y without the study effects that were drawn, shape (draws, k)."""
        own = 0.0 if self.own is None else self.own[:, self.levels]
        return np.asarray(self.y - own + np.zeros((len(self.mu), 1)))

    def _in_chunks(self, one: Callable[[slice], tuple[Floats, ...]]) -> tuple[Floats, ...]:
        parts = [one(slice(i, i + CHUNK)) for i in range(0, len(self.mu), CHUNK)]
        return tuple(np.concatenate(arrays) for arrays in zip(*parts, strict=True))

    def _covariances(self, part: slice) -> Floats:
        """Return S = V + sum sd_f^2 K_f over the factors that are integrated out, shape (draws, k, k)."""
        s = np.repeat(self.covariance[None], len(self.mu[part]), axis=0)
        for i in self._gaussian:
            f = self.factors[i]
            s += self.sds[part, i, None, None] ** 2 * f.covariance(f.studies, f.studies)
        return s

    def log_joint(self) -> Floats:
        """Return log p(y | mu, standard deviations, study effects that were drawn), shape (draws,)."""
        return self.log_density(self.mu[:, None])

    def log_density(self, mean: Floats) -> Floats:
        """Return the same with a mean for each effect, of shape (draws, k) or (draws, 1)."""

        def one(part: slice) -> tuple[Floats]:
            s, off = self._covariances(part), self._residual[part] - mean[part]
            squares = np.vecdot(off, np.linalg.solve(s, off[..., None])[..., 0])
            return (-0.5 * (squares + np.linalg.slogdet(s)[1] + len(self.y) * np.log(2 * np.pi)),)

        return self._in_chunks(one)[0]

    def log_by_trial(self) -> Floats:
        """Return log p(effects of a trial | effects of all others, standard deviations), shape (draws, trials).

        Overall mean and effects of factors, the trial's own included, are integrated out, so that leaving the trial out
        is a small step for importance sampling. With P = S^-1 - S^-1 1 1' S^-1 / 1' S^-1 1, the others predict the
        effects of trial c with error P_cc^-1 (P y)_c and covariance P_cc^-1 (Buerkner, Gabry & Vehtari 2021, Comput
        Stat 36:1243, eq. 8 and 9, here with a flat mean).
        """
        return self._by_trial()[0]

    def scale_weights(self) -> Floats:
        """Return the posterior probability of each scale for each study, shape (draws, trials, points)."""
        return np.exp(self._by_trial()[1])

    def _by_trial(self) -> tuple[Floats, ...]:
        def one(part: slice) -> tuple[Floats, Floats]:
            inverse = np.linalg.inv(self._covariances(part))
            pulled = inverse.sum(axis=2) if self.flat else np.zeros(inverse.shape[:2])
            total = pulled.sum(axis=1) if self.flat else np.ones(len(inverse))
            p = inverse - pulled[:, :, None] * pulled[:, None, :] / total[:, None, None]
            error = (p @ self._residual[part][..., None])[..., 0]
            each = [self._of_trial(part, trial, p, error) for trial in range(self.levels.max() + 1)]
            return np.stack([a for a, _ in each], axis=1), np.stack([b for _, b in each], axis=1)

        return self._in_chunks(one)

    def _of_trial(self, part: slice, trial: int, p: Floats, error: Floats) -> tuple[Floats, Floats]:
        """Return the log density of a trial's effects given the others, and the log posterior of its scale.

        An own effect with variance w adds w 1 1' to the covariance C = P_cc^-1; by the matrix determinant lemma
        |C + w 1 1'| = |C| (1 + w g) and d'(C + w 1 1')^-1 d = d'Pd - w (1'Pd)^2 / (1 + w g), g = 1'P_cc 1.
        """
        rows = np.flatnonzero(self.levels == trial)
        pc = p[:, rows[:, None], rows]
        d = np.linalg.solve(pc, error[:, rows, None])[..., 0]
        own_variance, log_weights = np.zeros((len(pc), 1)), np.zeros((len(pc), 1))
        if self.own is not None and self.scales is not None:
            d = d + self.own[part, trial, None]
            own_variance = self.sds[part, self.place, None] ** 2 * self.scales.variance[part]
            log_weights = self.scales.log_weights[part]
        pd = (pc @ d[..., None])[..., 0]
        growth = 1 + own_variance * pc.sum(axis=(1, 2))[:, None]
        squares = np.vecdot(d, pd)[:, None] - own_variance * pd.sum(axis=1)[:, None] ** 2 / growth
        constant = np.linalg.slogdet(pc)[1] - len(rows) * np.log(2 * np.pi)
        logs = log_weights + 0.5 * (constant[:, None] - squares - np.log(growth))
        total = special.logsumexp(logs, axis=1)
        return total, logs - total[:, None]

    def draw_effects(self, rng: np.random.Generator) -> tuple[Floats, Floats, Floats]:
        """Draw what is Gaussian given each draw.

        Standard normals and sampling errors from their prior, corrected by what the effects that they make miss the
        data by: z + B' S^-1 (y - y*), a draw from the posterior (Durbin & Koopman 2002, Biometrika 89:603).

        Returns
        -------
        cells : ndarray of shape (draws, m)
        theta : ndarray of shape (draws, k)
            The true effects.
        study : ndarray of shape (draws, trials)
            The effects of the studies, a part of theta.
        """
        root = np.linalg.cholesky(self.covariance)

        def one(part: slice) -> tuple[Floats, Floats, Floats]:
            n, mu, sds = len(self.mu[part]), self.mu[part, None], self.sds[part]
            loaded = {i: loadings(f, f.studies) for i, f in enumerate(self.factors) if i in self._gaussian}
            z = {i: rng.normal(size=(n, load.shape[1])) for i, load in loaded.items()}
            made = mu + rng.normal(size=(n, len(self.y))) @ root.T
            made = made + sum(sds[:, [i]] * (z[i] @ load.T) for i, load in loaded.items())
            missed = np.linalg.solve(self._covariances(part), (self._residual[part] - made)[..., None])[..., 0]
            z = {i: z[i] + sds[:, [i]] * (missed @ load) for i, load in loaded.items()}
            study = self.own[part] if self.own is not None else sds[:, [self.place]] * z[self.place]
            # The study is the one factor whose loadings may not be needed: its effects are there already.
            others = sum(sds[:, [i]] * (z[i] @ load.T) for i, load in loaded.items() if i != self.place)
            cells = mu * self.weights.sum(axis=1)
            for i, f in enumerate(self.factors):
                if f.cells is not None:
                    cells = cells + sds[:, [i]] * (z[i] @ (self.weights @ loadings(f, f.cells)).T)
            return cells, np.asarray(mu + others + study[:, self.levels]), study

        cells, theta, study = self._in_chunks(one)
        return cells, theta, study

    def replicate(self, theta: Floats, study: Floats, rng: np.random.Generator) -> Floats:
        """Return effects of the same designs with study effects and sampling errors drawn anew, shape (draws, k).

        The mixed replication of Marshall & Spiegelhalter (2003, Stat Med 22:1649): a study that is out of line is not
        excused by its own effect.
        """
        scale = np.ones_like(study)
        if self.scales is not None:
            scale = np.stack([np.sqrt(self.scales.draw(rng)) for _ in range(study.shape[1])], axis=1)
        anew = self.sds[:, [self.place]] * scale * rng.normal(size=study.shape)
        errors = rng.normal(size=theta.shape) @ np.linalg.cholesky(self.covariance).T
        return np.asarray(theta + (anew - study)[:, self.levels] + errors)
