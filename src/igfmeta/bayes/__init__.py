"""Effect sizes -> posteriors: the normal-normal model with tau integrated numerically, exactly, without sampling."""
