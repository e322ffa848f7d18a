"""The miniature study: the paper's tables in small, on synthetic video, with seeds and intervals."""
