"""The paper's Tables 1 to 6: its numbers beside those of this code, and what they cost."""
