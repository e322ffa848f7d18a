"""Seeing what a network sees: activity maps, a demo on any video."""
