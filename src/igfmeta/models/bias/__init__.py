"""Small-study effects: tests of asymmetry, adjusted estimates, selection models."""
