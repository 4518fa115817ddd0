"""Every rule of the audit: what it asks, how severe a violation is, the tables it reads, the paper behind it.

How to add one: a function in this package that yields a `Remark` for each violation, with the sentence that a reader
gets and the numbers that it rests on; one line here; in `tests/synthesis/test_audit.py` a clean row that passes and a
planted fault that is found. An error must be impossible for correctly rounded, correctly entered data.
"""

from __future__ import annotations

from igfmeta.synthesis.audit import counts, information, intervals, p_values, provenance, studies
from igfmeta.synthesis.audit.findings import Rule, each_row

_TRIALS = ("trials",)
_ASSOCIATIONS = ("associations",)
_DOSES = ("dose_response",)
_RATIOS = ("trials", "associations", "dose_response")

_TIERNEY = "Tierney et al. 2007, Trials 8:16"
_SCHOENFELD = "Schoenfeld 1983, Biometrics 39:499"
_ALTMAN = "Altman & Bland 2011, BMJ 343:d2304"
_GRIM = "Brown & Heathers 2017, Soc Psychol Personal Sci 8:363"
_GOTZSCHE = "Gøtzsche et al. 2007, JAMA 298:430"
_TRAMER = "Tramèr et al. 1997, BMJ 315:635"
_PRISMA = "Page et al. 2021, BMJ 372:n71 (PRISMA 2020)"

RULES: tuple[Rule, ...] = (
    Rule("interval_asymmetric", "Is the estimate in the middle of its interval on the log scale, given the rounding?",
         "warning", _RATIOS, each_row(intervals.asymmetric), _TIERNEY),
    Rule("interval_no_level", "Does the interval say its level?",
         "warning", _RATIOS, each_row(intervals.without_level), _TIERNEY),
    Rule("interval_identical", "Are estimate and interval those of another row?",
         "warning", _RATIOS, intervals.identical_triples, "Bordewijk et al. 2021, J Clin Epidemiol 136:189"),
    Rule("no_uncertainty", "Has a primary estimate an interval or a p-value?",
         "warning", ("trials", "associations"), each_row(information.estimate_without_uncertainty), _TIERNEY),
    Rule("p_value_interval", "Is the p-value the one that the interval means, one- or two-sided?",
         "warning", _TRIALS, each_row(p_values.against_interval), _ALTMAN),
    Rule("p_value_sidedness", "Is the p-value one- or two-sided as the row says, by the interval?",
         "warning", _TRIALS, each_row(p_values.sidedness), _ALTMAN),
    Rule("p_value_information", "Can events or patients give the standard error that a p-value means?",
         "warning", _TRIALS, each_row(p_values.against_information), _SCHOENFELD),
    Rule("se_below_bound", "Is the standard error at least 2/sqrt(events)?",
         "error", _TRIALS, each_row(information.below_bound), _SCHOENFELD),
    Rule("se_below_bound_cases", "Is the standard error at least what cases and controls allow?",
         "error", _ASSOCIATIONS, each_row(information.below_bound_of_cases), "Woolf 1955, Ann Hum Genet 19:251"),
    Rule("se_too_large", "Is the standard error not a standard deviation?",
         "warning", _TRIALS, each_row(information.too_large), _GOTZSCHE),
    Rule("se_too_large_cases", "Is the standard error not a standard deviation?",
         "warning", _ASSOCIATIONS, each_row(information.too_large_for_cases), _GOTZSCHE),
    Rule("hr_medians", "Have hazard ratio and medians one direction and about one size?",
         "warning", _TRIALS, each_row(information.against_medians), "Hausman 1978, Econometrica 46:1251"),
    Rule("grim", "Is the percentage that of a whole number, and of the number beside it?",
         "warning", _TRIALS, counts.grim, _GRIM),
    Rule("percentage_n", "Do count and percentage mean no more patients than the arm has?",
         "warning", _TRIALS, counts.implied_n, _GRIM),
    Rule("counts_nested", "Is no part larger than its whole (complete response, response, disease control)?",
         "error", _TRIALS, counts.nested, "Eisenhauer et al. 2009, Eur J Cancer 45:228 (RECIST 1.1)"),
    Rule("exposure_groups", "Has a table of exposure groups one referent, and ratios near those of its counts?",
         "warning", _DOSES, counts.groups_of_doses, "Greenland & Longnecker 1992, Am J Epidemiol 135:1301"),
    Rule("same_registration", "Does a registration number stand under one study?",
         "warning", _TRIALS, studies.same_registration, _TRAMER),
    Rule("same_numbers", "Are the numbers of two studies different?",
         "warning", _TRIALS, studies.same_numbers, _TRAMER),
    Rule("same_cohort", "Does a cohort stand under one population?",
         "warning", _ASSOCIATIONS, studies.same_trial_of_associations, _TRAMER),
    Rule("shared_control", "Do contrasts with one control arm say so?",
         "error", _TRIALS, studies.undeclared_shared_control,
         "Gleser & Olkin 2009, Handbook of Research Synthesis, ch. 19"),
    Rule("subset_in_primary", "Is a primary row of all patients?",
         "warning", _TRIALS, studies.subset_in_primary, "Wang et al. 2007, N Engl J Med 357:2189"),
    Rule("retracted", "Is no retracted source used?",
         "error", _RATIOS, provenance.retracted, "Avenell et al. 2019, BMJ Open 9:e031909"),
    Rule("trial_retracted", "Is no other report of a retracted trial used?",
         "warning", _TRIALS, provenance.of_a_retracted_trial, "Avenell et al. 2019, BMJ Open 9:e031909"),
    Rule("corrected", "Is a number of a corrected source the corrected one?",
         "warning", _RATIOS, provenance.corrected, "Avenell et al. 2019, BMJ Open 9:e031909"),
    Rule("source_missing", "Can the source of every number be followed?",
         "warning", _RATIOS, provenance.source_missing, _PRISMA),
    Rule("second_hand", "Was a primary number read in the report itself?",
         "note", ("trials", "associations"), provenance.second_hand, _GOTZSCHE),
    Rule("no_locator", "Does a row say where in its source it was read?",
         "note", ("trials", "associations"), each_row(provenance.no_locator), _PRISMA),
    Rule("judgement_of_nothing", "Is a judgement of the risk of bias of a study that there is?",
         "warning", ("risk_of_bias",), provenance.judgement_of_nothing, "Sterne et al. 2019, BMJ 366:l4898 (RoB 2)"),
    Rule("single_extraction", "Did two people read every primary number?",
         "note", _TRIALS, each_row(provenance.single_extraction), "Buscemi et al. 2006, J Clin Epidemiol 59:697"),
)  # fmt: skip
