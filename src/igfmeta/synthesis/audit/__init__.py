"""What a careful second statistician would check: every rule a small function, all of them in `registry`."""
