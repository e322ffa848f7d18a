"""What is built on the package and not installed with it."""
