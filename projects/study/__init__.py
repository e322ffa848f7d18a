"""The miniature study: the paper's tables on synthetic video, with seeds and intervals."""
