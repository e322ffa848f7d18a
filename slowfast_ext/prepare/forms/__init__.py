"""
Readers of the files that annotation tools and data sets write, one module a form.

A reader has two functions: `recognises(content)` sees from a `Content` whether it is of its form,
and `read(file, content)` adds its rows to a `LabelFile`. The first of READERS that recognises a
file reads it; what none does is read as a table, JSON or lines of the general forms.
"""

from slowfast_ext.prepare.forms import (
    actions,
    bento,
    class_files,
    cvat,
    epic,
    frame_lists,
    per_frame,
)

READERS = (actions, bento, class_files, cvat, epic, frame_lists, per_frame)
