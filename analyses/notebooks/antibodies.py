# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Did the antibodies work?
#
# Antibodies against the IGF-1 receptor went through phase III. This notebook asks what all randomized trials together
# say of overall survival and progression: pooled, trial by trial, and as it looked before the last large trial came.

# %%
import igfmeta as im
from igfmeta.synthesis.effect_diff import diff

evidence = im.load_evidence(tables=["trials"])
antibodies = im.pool(evidence, agent_class="antibody", outcome=["os", "progression"], by="tumor")
antibodies.forest()

# %% [markdown]
# Each square is a trial, the diamond the pooled hazard ratio with its Hartung-Knapp interval, the bar below it where
# the true effect of a new trial would lie, and beside it the posterior. The same numbers as a table:

# %%
columns = ["outcome", "label", "k", "estimate", "ci_lower", "ci_upper", "pi_lower", "pi_upper", "p_benefit"]
table = antibodies.to_frame()[columns]
table[table["label"] == "All studies"].round(3)

# %% [markdown]
# A hazard ratio below 1 would favour the antibody.

# %%
for outcome in ("os", "progression"):
    overall = antibodies[outcome].overall
    low, high = (overall.natural(value) for value in (overall.fit.ci_lower, overall.fit.ci_upper))
    found = f"{overall.natural(overall.fit.estimate):.2f} ({low:.2f} to {high:.2f}), {overall.fit.k} trials"
    print(f"{antibodies[outcome].question.label}: hazard ratio {found}, P(benefit) {overall.p_benefit:.3f}")

# %% [markdown]
# ## Does it hang on one trial?
#
# Each point leaves one trial out: what that does to the estimate, its interval and the heterogeneity.

# %%
survival = im.pool(evidence, agent_class="antibody", outcome="os", by="none")
im.influence(survival)

# %% [markdown]
# ## What did GAMMA change?
#
# GAMMA (Fuchs 2015) added ganitumab to gemcitabine in pancreatic cancer, in 800 patients: the largest trial here. A
# living review asks what a new trial did to every pooled effect; `igfmeta diff` answers on the command line.

# %%
trials = evidence.select(agent_class="antibody", outcome=["os", "pfs", "efs", "ttp"])
before = trials.select(study=sorted(set(trials.trials["study_id"]) - {"fuchs2015"}))
change = diff(before, trials, by=["tumor"]).to_frame()
moved = change.loc[~change["same"], ["question", "group", "k_old", "k_new", "estimate_old", "estimate_new", "turned"]]
moved.round(3)

# %% [markdown]
# ## Does it hang on a choice?
#
# Every estimator of the heterogeneity, every interval, other models and selections side by side: a conclusion that
# turns with a choice is not one.

# %%
im.sensitivity(survival)
