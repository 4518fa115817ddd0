"""Models that are sampled: PyMC draws from them, ArviZ says whether the draws can be trusted."""
