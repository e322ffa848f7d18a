"""A package, since a namespace would give way to the `tests` of a clone of pytorchvideo."""
