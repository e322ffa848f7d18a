"""The synthetic data set: its motions, scenes, videos."""
