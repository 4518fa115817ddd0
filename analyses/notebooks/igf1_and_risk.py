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
# # IGF-1 and cancer: does the risk tell which trials succeed?
#
# Cohorts, case-control studies and Mendelian randomization say what circulating IGF-1 means for the risk of a cancer.
# Blocking its receptor was to help where that risk is. This notebook puts the two side by side.

# %%
import igfmeta as im

evidence = im.load_evidence()
prostate = im.risk(evidence, cancer="prostate", biomarker="igf1")
prostate.forest()

# %% [markdown]
# Ratios are per standard deviation of IGF-1; each population counts once; prospective, retrospective and genetic
# studies are strata of their own. By cancer, prospective studies only:

# %%
cancers = im.risk(evidence, biomarker="igf1", by="cancer")
cancers.forest()

# %%
frame = cancers.to_frame()
pooled = frame[frame["kind"] == "pooled"].sort_values("estimate", ascending=False)
pooled[["label", "k", "estimate", "ci_lower", "ci_upper", "pi_lower", "pi_upper", "p_raises"]].round(3)

# %% [markdown]
# ## Is the line straight?
#
# Exposure groups of the same studies, with the covariances of their common referent group:

# %%
im.dose_response(evidence, cancer="prostate", biomarker="igf1", model="quadratic", dose_scale="sd")

# %% [markdown]
# ## Triangulation
#
# Each point is a type of tumour: what a standard deviation of IGF-1 means for its risk, and what the trials of agents
# against the receptor showed in it. Both axes have errors, and the line takes both.

# %%
line = im.triangulate(evidence, outcome="progression", agent_class=["antibody", "tki"])
line

# %%
for predictor in line.predictors:
    print(f"{predictor.label}:")
    for sentence in predictor.sentences:
        print(f"  {sentence}")
