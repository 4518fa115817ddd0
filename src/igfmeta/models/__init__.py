"""Effect sizes -> frequentist fits. Arrays of shape (batch, k) and a mask; one analysis is a batch of one."""
