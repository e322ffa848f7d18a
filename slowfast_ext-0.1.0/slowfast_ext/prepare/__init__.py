"""One command per data set: from its public annotation files to the project's lists."""
