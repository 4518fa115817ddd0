"""Multilevel and multivariate models: nested and crossed random effects with known sampling covariances."""
