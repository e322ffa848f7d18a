"""
Readers of the files that annotation tools and data sets write, one module a form.

A reader has two functions: `recognises(content)` sees from a `Content` whether it is of its form,
and `read(file, content)` adds its rows to a `LabelFile`. The first of READERS that recognises a
file reads it; what none does is read as a table, JSON or lines of the general forms.
"""

from slowfast_ext.prepare.forms import (
    actions,
    bento,
    boris,
    class_files,
    cvat,
    elan,
    epic,
    frame_lists,
    label_studio,
    observer,
    per_frame,
    via,
)

READERS = (
    boris,
    elan,
    epic,
    label_studio,
    observer,
    via,
    actions,
    bento,
    class_files,
    cvat,
    frame_lists,
    per_frame,
)
