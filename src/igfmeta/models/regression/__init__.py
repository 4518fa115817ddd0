"""Meta-regression: effects that vary with moderators of the studies, fitted in batches."""
