"""Robust variance estimation: several effects of one study, dependent in a way that nobody knows."""
