"""Reading text, paths, processes: what knows nothing of videos or networks."""
