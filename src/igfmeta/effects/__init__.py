"""Reported numbers -> effect sizes with their sampling variances and covariances. Arrays in, arrays out."""
