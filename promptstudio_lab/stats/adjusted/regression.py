"""Adjustment by regression on single rows: the treatment's coefficient beside the covariates."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from promptstudio_lab.errors import AnalysisError
from promptstudio_lab.stats.independent import Contrast
from promptstudio_lab.stats.sums import numbers

if TYPE_CHECKING:
    from collections.abc import Sequence

    from promptstudio_lab.stats.sums import Floats


def ancova(
    control: tuple[Sequence[float] | Floats, Sequence[float] | Floats],
    treatment: tuple[Sequence[float] | Floats, Sequence[float] | Floats],
) -> Contrast:
    """Return the treatment's coefficient in `outcome ~ 1 + treatment + covariate`.

    Its standard error is HC1, right when the arms' spreads differ (MacKinnon & White 1985), from
    statsmodels; CUPED is the same adjustment from sums alone.

    Args:
        control: the control's outcomes and covariates, one of each a unit.
        treatment: the treatment's.

    Raises:
        AnalysisError: if outcomes and covariates differ in number, a value is not finite, or the
            coefficient cannot be told from the covariate's.

    >>> found = ancova(([1, 2, 4, 5], [1, 2, 3, 4]), ([3, 3, 6, 6], [2, 1, 4, 3]))
    >>> round(found.estimate, 6), round(found.se, 3), found.df
    (1.5, 0.458, 5.0)
    """
    arms = _arm("control", *control), _arm("treatment", *treatment)
    outcomes, covariates = (np.concatenate(column) for column in zip(*arms, strict=True))
    treated = np.repeat([0.0, 1.0], [len(control[0]), len(treatment[0])])
    # Around its mean, so that large covariates that are close together still tell.
    centred = covariates - covariates.mean() if len(covariates) else covariates
    design = np.column_stack([np.ones_like(treated), treated, centred])
    if len(design) <= design.shape[1] or np.linalg.matrix_rank(design) < design.shape[1]:
        message = (
            f"{len(design)} units with this covariate do not tell the treatment's effect from the"
            " covariate's. Hint: compare the arms without the covariate."
        )
        raise AnalysisError(message)
    from statsmodels.api import OLS

    fit = OLS(outcomes, design).fit(cov_type="HC1", use_t=True)
    return Contrast(float(fit.params[1]), float(fit.bse[1]), float(fit.df_resid))


def _arm(
    name: str, outcomes: Sequence[float] | Floats, covariates: Sequence[float] | Floats
) -> tuple[Floats, Floats]:
    if len(outcomes) != len(covariates):
        message = (
            f"the {name} has {len(outcomes)} outcomes and {len(covariates)} covariates:"
            " one of each a unit is needed"
        )
        raise AnalysisError(message)
    return numbers(f"{name} outcome", outcomes), numbers(f"{name} covariate", covariates)
