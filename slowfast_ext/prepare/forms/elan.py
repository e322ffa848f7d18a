"""ELAN's .eaf (2.8 and 3.0): tiers of annotations, whose values are the labels."""

import urllib.parse

import numpy as np

from slowfast_ext.errors import SlowFastExtError

_FORM = "ELAN's .eaf"


def recognises(content):
    return content.xml is not None and content.xml.tag == "ANNOTATION_DOCUMENT"


def read(file, content):
    """Reads the annotations of all tiers, or of those that --label-columns names."""
    file.form = _FORM
    tiers = content.xml.findall("TIER")
    chosen = [tier for tier in tiers if file.is_chosen(tier.get("TIER_ID") or "")]
    file.unused = [tier.get("TIER_ID") for tier in tiers if tier not in chosen]
    where = f"{file.path}:{content.xml.line}"
    videos = _videos(file, content.xml)
    for name, _ in videos:
        file.add(where, name, [], source=file.own_name)
    spans = _Spans(file, content.xml)
    for tier in chosen:
        more = {"subject": tier.get("PARTICIPANT") or "", "group": tier.get("TIER_ID") or ""}
        for annotation in tier.findall("ANNOTATION/*"):
            where = f"{file.path}:{annotation.line}"
            value = (annotation.findtext("ANNOTATION_VALUE") or "").strip()
            if not value:
                file.skip(where, "an annotation without a value")
                continue
            start, end = spans.of(annotation)
            for name, origin in videos:
                # From the common time of several media to the video's own.
                times = (round(start + origin, 6), round(end + origin, 6))
                file.add(where, name, value.splitlines(), times, source=file.own_name, **more)


def _videos(file, root):
    """[(name, seconds from the common time to the video's own)] of the media; views of one time."""
    media = []
    for one in root.findall("HEADER/MEDIA_DESCRIPTOR"):
        urls = [one.get(name) or "" for name in ("MEDIA_URL", "RELATIVE_MEDIA_URL")]
        names = [u if u.startswith("file:") else urllib.parse.unquote(u) for u in urls if u]
        name = next(filter(file.media.has, names), names[0] if names else "")
        try:
            media.append((name, int(one.get("TIME_ORIGIN") or 0) / 1000))
        except ValueError as error:
            raise SlowFastExtError(
                f"{file.path}:{one.line}: TIME_ORIGIN is no whole number of milliseconds"
            ) from error
    found = [(name, origin) for name, origin in media if name and file.media.has(name)]
    # Of media that are not there the first is named.
    return found or [pair for pair in media if pair[0]][:1] or [(file.own_name, 0.0)]


class _Spans:
    """The spans of annotations, in seconds, by their slots of time and by what they refer to."""

    def __init__(self, file, root):
        tiers = root.findall("TIER")
        self._path, self._times = file.path, _slots(file, root, tiers)
        found = [one for tier in tiers for one in tier.findall("ANNOTATION/*")]
        self._annotations = {one.get("ANNOTATION_ID"): one for one in found}
        self._shares = _shares(found)

    def of(self, annotation):
        first, passed, shares = annotation, set(), []
        while annotation.tag == "REF_ANNOTATION" and annotation not in passed:
            passed.add(annotation)
            shares.append(self._shares.get(annotation, (0, 1)))
            other = annotation.get("ANNOTATION_REF")
            annotation = self._annotations.get(other)
            if annotation is None:
                raise SlowFastExtError(f'{self._path}:{first.line}: no annotation "{other}"')
        slots = [annotation.get(name) for name in ("TIME_SLOT_REF1", "TIME_SLOT_REF2")]
        if not set(slots) <= self._times.keys():
            raise SlowFastExtError(
                f"{self._path}:{first.line}: its time slots {slots[0]} and {slots[1]} are not there"
            )
        start, end = (self._times[slot] for slot in slots)
        for place, number in reversed(shares):
            length = (end - start) / number
            start, end = start + place * length, start + (place + 1) * length
        return start, end


def _shares(annotations):
    """
    {annotation: (place, number)} of symbolic subdivisions, which part the span of what they refer
    to evenly, each behind its PREVIOUS_ANNOTATION (ELAN's SymbolicSubdivision).
    """
    names = {one.get("ANNOTATION_ID") for one in annotations}
    behind = {before: one for one in annotations if (before := one.get("PREVIOUS_ANNOTATION"))}
    shares = {}
    for first in annotations:
        chain = [] if first.get("PREVIOUS_ANNOTATION") in names else [first]
        while chain and (one := behind.pop(chain[-1].get("ANNOTATION_ID"), None)) is not None:
            chain.append(one)
        shares.update((one, (place, len(chain))) for place, one in enumerate(chain))
    return shares


def _slots(file, root, tiers):
    """
    {time slot: seconds}; slots without a time lie evenly between their neighbours, which are those
    of their own tier where it subdivides another one.
    """
    header = root.find("HEADER")
    units = "milliseconds" if header is None else header.get("TIME_UNITS") or "milliseconds"
    if units != "milliseconds":
        raise SlowFastExtError(f"{file.path}:{header.line}: TIME_UNITS {units} are not read")
    slots = root.findall("TIME_ORDER/TIME_SLOT")
    values = [slot.get("TIME_VALUE") for slot in slots]
    known = [place for place, value in enumerate(values) if value is not None]
    for place in known:
        if not (values[place].isdecimal() and len(values[place]) < 16):
            raise SlowFastExtError(
                f'{file.path}:{slots[place].line}: TIME_VALUE "{values[place]}" is no whole number'
            )
    if not slots:
        return {}
    for place in (0, -1):
        if values[place] is None:
            slot = slots[place]
            raise SlowFastExtError(
                f"{file.path}:{slot.line}: the time slot {slot.get('TIME_SLOT_ID')} has no time, "
                "and none on one side of it has one"
            )
    times = np.interp(range(len(slots)), known, [int(values[place]) for place in known]) / 1000
    names = [slot.get("TIME_SLOT_ID") for slot in slots]
    times = dict(zip(names, times.tolist(), strict=True))
    aligned = {names[place] for place in known}
    parents = {tier.get("TIER_ID"): tier.get("PARENT_REF") for tier in tiers}
    # What parents hold is known before what subdivides it.
    for tier in sorted(tiers, key=lambda tier: _depth(tier, parents)):
        for chain in _chains(tier) if tier.get("PARENT_REF") else ():
            if times.keys() >= set(chain):
                ends = (0, len(chain) - 1)
                fixed = [n for n, slot in enumerate(chain) if slot in aligned or n in ends]
                at = [times[chain[n]] for n in fixed]
                filled = np.interp(range(len(chain)), fixed, at).tolist()
                times.update(zip(chain, filled, strict=True))
    return times


def _depth(tier, parents):
    depth, parent = 0, tier.get("PARENT_REF")
    while parent in parents and depth < len(parents):
        depth, parent = depth + 1, parents[parent]
    return depth


def _chains(tier):
    """Yields the time slots of annotations of a tier that follow each other without a gap."""
    spans = tier.findall("ANNOTATION/ALIGNABLE_ANNOTATION")
    following = {one.get("TIME_SLOT_REF1"): one.get("TIME_SLOT_REF2") for one in spans}
    for first in following.keys() - set(following.values()):
        chain = [first]
        while chain[-1] in following and len(chain) <= len(following):
            chain.append(following[chain[-1]])
        yield chain
