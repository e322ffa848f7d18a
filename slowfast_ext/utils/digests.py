"""Fingerprints of content, equal in every process and on every machine."""

import hashlib
import json
import pickle
from types import SimpleNamespace


def digest_of(*values, state=None):
    """
    16 hexadecimal digits of plain values, arrays and data classes and, where it is given, of a
    network's `state`, {name: Tensor}.

    Raises pickle.PicklingError, TypeError or AttributeError where a value has no content of its
    own, as an open file or a lambda.
    """
    digest = hashlib.sha256()
    for value in values:
        _SetsInOrder(SimpleNamespace(write=digest.update)).dump(value)
    for name, tensor in (state or {}).items():
        digest.update(name.encode())
        digest.update(tensor.cpu().contiguous().numpy())  # The digest reads memory as it lies.
    return digest.hexdigest()[:16]


def digest_of_json(value):
    """16 hexadecimal digits of what JSON can hold, whatever the order of its keys."""
    text = json.dumps(value, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


class _SetsInOrder(pickle.Pickler):
    """A set's own order is another in each process."""

    def persistent_id(self, value):
        return sorted(map(repr, value)) if isinstance(value, set | frozenset) else None
