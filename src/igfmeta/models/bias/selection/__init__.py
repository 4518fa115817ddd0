"""Selection models: the chance that a study is seen depends on its p-value."""
