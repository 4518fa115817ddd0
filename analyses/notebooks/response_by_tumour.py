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
# # In which tumours did they respond?
#
# Most trials of these agents report the response of single arms, and nearly half of those that can be pooled saw none.
# Zeros are data: the rates are pooled from the counts themselves, with a binomial likelihood, and small groups borrow
# from their class and their tumour.

# %%
import igfmeta as im

evidence = im.load_evidence(tables=["trials"])
response = im.pool(evidence, outcome="orr", measure="PLO", agent_class="antibody", by="tumor")
response.forest()

# %% [markdown]
# One number for all tumours would hide what the forest shows. The groups, the largest first, with the rate of each by
# itself and in the hierarchy of all groups:

# %%
table = response.to_frame()
shown = table[["label", "k", "patients", "estimate", "ci_lower", "ci_upper", "hierarchical_median"]]
shown.round(3).head(12)

# %% [markdown]
# ## Class by tumour
#
# The crossed model takes every class of agent at once: response = overall + class + tumour + class:tumour + agent +
# study, on the logit scale. Every cell has a posterior, those without a trial too, and the figure says how many trials
# stand behind each. A response rate of 10 % or more counts as relevant here.

# %%
cells = im.hierarchy(evidence, outcome="orr", measure="PLO", relevant=0.10)
cells

# %%
frame = cells.to_frame()
informed = frame[(frame["k"] > 0) & frame["borrowed"].notna()].sort_values("p_relevant", ascending=False)
informed[["agent_class", "tumor", "k", "median", "ci_lower", "ci_upper", "pi_upper", "p_relevant", "borrowed"]].round(
    3
).head(10)

# %% [markdown]
# `borrowed` says how many trials' worth of information a cell has from elsewhere. Where the heterogeneity comes from:

# %%
for source in cells.sources:
    print(f"{source.name}: {source.sd_median:.2f} on the logit scale, prior {source.prior}")
