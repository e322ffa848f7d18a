"""
Which packets of a video give a frame that is shown, by their first bytes.

A packet is not always a frame: VP8 and VP9 store frames that are never shown (RFC 6386 section
9.1, the VP9 bitstream specification 6.2), H.264 may store the two fields of a frame in packets of
their own (ITU-T H.264 section 7.3.3), and MPEG-4 part 2 has pictures that are "not coded" (ISO/IEC
14496-2 section 6.2.5). Where these bytes do not tell, the decoder must be asked.
"""

import re

# A picture without content, in any codec that is not looked into, takes no more bytes.
_MOST_EMPTY_BYTES = 16
# Of a header, so that a damaged file costs no time.
_MOST_HEADER_BYTES, _MOST_FIRST_BYTES = 512, 2**16
# Profiles whose headers say more (ITU-T H.264 section 7.3.2.1.1).
_HIGH_PROFILES = {100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135}
# HEVC's unit of that kind, behind a start code or its size.
_END_OF_SEQUENCE = (b"\0\0\1\x48\1", b"\0\0\2\x48\1")


def coded_frames(codec, extradata):
    """
    Args:
        codec (str): FFmpeg's name of the codec.
        extradata (bytes or None): the codec's headers, where the container has them.

    Returns:
        CodedFrames: for the packets of one stream, from the first one on.
    """
    kind = _KINDS.get(codec, _Others)
    return kind(extradata or b"")


class CodedFrames:
    """
    Goes along with the packets of a stream.

    Attributes:
        is_unsure (bool): the packets so far do not tell which frames there are.
        may_be_turned (bool): a message of the codec says how frames are to be turned.
        starts_open (bool): the first pictures may refer to others that the file lacks.
        is_refresh (bool): the last packet, marked as a key frame, is none: from there on a picture
            is refreshed part by part, and what is decoded need not be equal.
        is_plain (bool): each packet holds at most one picture, which is shown before the next.
        has_spare (bool): what no picture refers to is marked so, and frames come out the same, bit
            for bit, where such pictures are not decoded.
    """

    has_spare, is_plain = False, False

    def __init__(self, extradata):
        self.is_unsure, self.may_be_turned, self.starts_open = False, False, False
        self.is_refresh, self._is_first = False, True

    def gives_frame(self, packet):
        """True where a packet (PyAV's, not empty) gives a frame that no packet before it gave."""
        return True

    def finish(self):
        """Is called after the last packet."""


class _Others(CodedFrames):
    def gives_frame(self, packet):
        self.is_unsure = self.is_unsure or packet.size <= _MOST_EMPTY_BYTES
        return True


class _Mpeg2(_Others):
    """Groups of pictures that start with one that refers to the group before are marked so."""

    def gives_frame(self, packet):
        if self._is_first:
            head = bytes(memoryview(packet)[:_MOST_HEADER_BYTES])
            group = re.search(rb"\x00\x00\x01\xb8...(.)", head, re.DOTALL)
            self.starts_open = bool(group) and not group.group(1)[0] & 0x40
        self._is_first = False
        return super().gives_frame(packet)


class _Vp8(CodedFrames):
    def gives_frame(self, packet):
        return bool(memoryview(packet)[0] & 0x10)


class _Vp9(CodedFrames):
    def gives_frame(self, packet):
        data = memoryview(packet)
        # Several frames in one packet, of which the last is shown.
        if data[-1] & 0xE0 == 0xC0:
            return True
        is_profile_3 = data[0] & 0x30 == 0x30
        header = data[0] << is_profile_3
        shows_existing, shown = header & 0x08, header & 0x02
        return bool(shows_existing or shown)


class _Mpeg4(CodedFrames):
    """
    Of DivX and Xvid: a packet may hold two pictures, and an empty one then stands for the second.
    """

    _PICTURE = b"\0\0\1\xb6"

    def __init__(self, extradata):
        super().__init__(extradata)
        self._time_bits, self._waiting, self.is_plain = _time_bits(extradata), 0, True

    def gives_frame(self, packet):
        data = bytes(packet)
        if self._time_bits is None or packet.is_keyframe:
            self._time_bits = _time_bits(data) or self._time_bits
        pictures = data.count(self._PICTURE)
        # 0: refers to none, 2: also to one that is shown later.
        kind = (data + b"\0")[data.find(self._PICTURE) + 4] >> 6 if pictures else 0
        self.is_refresh = kind != 0
        self.is_plain = self.is_plain and pictures <= 1 and kind != 2
        if pictures == 1 and len(data) <= _MOST_EMPTY_BYTES and not self._is_coded(data):
            pictures = 0
        self._waiting += pictures
        gives = self._waiting > 0
        self._waiting -= gives
        return gives

    def _is_coded(self, data):
        """False for a picture that repeats the one before."""
        if self._time_bits is None:
            self.is_unsure = True
            return True
        bits = _Bits(data[data.index(self._PICTURE) + 4 :])
        bits.take(2)
        while bits.take(1):
            pass
        bits.take(1 + self._time_bits + 1)
        return bool(bits.take(1))

    def finish(self):
        self.is_unsure = self.is_unsure or self._waiting > 0


def _time_bits(data):
    """Bits of a picture's time, by the video object layer (ISO/IEC 14496-2 section 6.2.3)."""
    found = re.search(rb"\x00\x00\x01[\x20-\x2f]", data)
    if not found:
        return None
    bits = _Bits(data[found.end() : found.end() + 60])
    bits.take(9)
    if bits.take(1):
        bits.take(7)
    if bits.take(4) == 15:
        bits.take(16)
    if bits.take(1):
        bits.take(3)
        if bits.take(1):
            bits.take(79)
    bits.take(3)
    return max(1, (bits.take(16) - 1).bit_length())


class _Hevc(CodedFrames):
    """Behind a break of the sequence, pictures that refer to what came before it are dropped."""

    def __init__(self, extradata):
        super().__init__(extradata)
        self._length_size = (extradata[21] & 3) + 1 if extradata[:1] == b"\1" else 0
        self._has_ended, self._layers = False, set()
        for unit in _units_in_hevc_header(extradata):
            self._read_header(unit)

    def gives_frame(self, packet):
        units = self._units_of(packet) if packet.is_keyframe or self._is_first else []
        kinds = [unit[0] >> 1 & 0x3F for unit in units]
        for unit in units:
            self._read_header(unit)
        if self._is_first:
            messages = (unit[2:] for unit, kind in zip(units, kinds, strict=True) if kind == 39)
            self.may_be_turned = any(map(_turns, messages))
            # Types 19 and 20: nothing is shown before them that refers beyond them.
            self.starts_open = not {19, 20}.intersection(kinds)
        else:
            # Types 16 to 18: a broken link.
            has_break = self._has_ended or any(16 <= kind <= 18 for kind in kinds)
            self.is_unsure = self.is_unsure or has_break
        self._is_first = False
        self._has_ended = bytes(memoryview(packet)[-5:]) in _END_OF_SEQUENCE
        return True

    def _read_header(self, unit):
        # A sequence parameter set names the layers of time (ITU-T H.265 section 7.3.2.2).
        if len(unit) > 2 and unit[0] >> 1 & 0x3F == 33:
            self._layers.add(unit[2] >> 1 & 7)

    @property
    def has_spare(self):
        """What its own layer of time does not refer to, a higher one may."""
        return self._layers == {0}

    def _units_of(self, packet):
        size = _MOST_FIRST_BYTES if self._is_first else _MOST_HEADER_BYTES
        head = bytes(memoryview(packet)[:size])
        return [unit for unit in _units(head, self._length_size) if unit]


def _turns(message):
    """True where supplemental information has an orientation."""
    return 47 in dict(_payloads(message))


def _refreshes(message):
    """True where supplemental information has a point of recovery that is some frames ahead."""
    recovery = dict(_payloads(message)).get(6)
    return bool(recovery) and _Bits(recovery).number() > 0


def _payloads(message):
    """Yields (kind, bytes) of supplemental information (ITU-T H.264 and H.265 annex D)."""
    message, place = _plain(message), 0
    while place + 2 < len(message):
        kind, place = _added_up(message, place)
        size, place = _added_up(message, place)
        yield kind, message[place : place + size]
        place += size


def _added_up(message, place):
    """(the number that bytes of 255 and one more make, the place behind them)."""
    number = 0
    while message[place : place + 1] == b"\xff":
        number, place = number + 255, place + 1
    return number + (message[place] if place < len(message) else 0), place + 1


class _H264(CodedFrames):
    """
    Fields in packets of their own: the second one of a frame gives none.

    Streams that are of whole frames by their header are not looked into but for new headers.
    """

    def __init__(self, extradata):
        super().__init__(extradata)
        self._length_size = (extradata[4] & 3) + 1 if extradata[:1] == b"\1" else 0
        self._number_bits, self._has_fields = None, False
        # The field that waits for its second: whether it is the lower one, and its number.
        self._field = None
        for unit in _units_in_header(extradata):
            self._read_header(unit)

    def gives_frame(self, packet):
        if self._is_first or packet.is_keyframe:
            size = _MOST_FIRST_BYTES if self._is_first else _MOST_HEADER_BYTES
            head = bytes(memoryview(packet)[:size])
            units = [unit for unit in _units(head, self._length_size) if unit]
            for unit in units:
                self._read_header(unit)
            messages = [unit[1:] for unit in units if unit[0] & 0x1F == 6]
            self.is_refresh = any(map(_refreshes, messages))
            if self._is_first:
                self.may_be_turned = any(map(_turns, messages))
                self.starts_open = all(unit[0] & 0x1F != 5 for unit in units)
            self._is_first = False
        return not self._has_fields or self._starts_frame(packet)

    def _read_header(self, unit):
        if unit[:1] and unit[0] & 0x1F == 7:
            number_bits, has_fields = _fields_in_header(unit)
            # Pictures name the header that they go by in another one.
            changed = self._number_bits not in (None, number_bits)
            self._number_bits, self._has_fields = number_bits, self._has_fields or has_fields
            self.is_unsure = self.is_unsure or (changed and self._has_fields)

    def _starts_frame(self, packet):
        started = 0
        for field in self._fields_in(memoryview(packet)):
            if field is None:
                started += self._field is None
                self.is_unsure = self.is_unsure or self._field is not None
            elif self._field is None:
                started, self._field = started + 1, field
            elif self._field == (not field[0], field[1]):
                self._field = None
            else:
                self.is_unsure = True
        self.is_unsure = self.is_unsure or started > 1
        return started > 0

    def _fields_in(self, data):
        """Of each picture in a packet: (is it the lower field, its number), or None: a frame."""
        before, fields = (), []
        for unit in _units(data, self._length_size):
            if unit[:1] and unit[0] & 0x1F in (1, 2, 5):
                field = self._field_of(unit)
                if field != before:
                    fields.append(field)
                before = field
        return fields

    def _field_of(self, unit):
        bits = _Bits(_plain(bytes(unit[1:48])))
        for _ in range(3):
            bits.number()
        number = bits.take(self._number_bits)
        return (bool(bits.take(1)), number) if bits.take(1) else None

    @property
    def has_spare(self):
        """Not with fields, of which one may be referred to and the other not."""
        return self._number_bits is not None and not self._has_fields

    def finish(self):
        self.is_unsure = self.is_unsure or self._field is not None


def _fields_in_header(unit):
    """(bits of a frame's number, whether there may be fields), by a sequence parameter set."""
    bits = _Bits(_plain(unit[1:_MOST_HEADER_BYTES]))
    profile = bits.take(8)
    bits.take(16)
    bits.number()
    if profile in _HIGH_PROFILES:
        chroma = bits.number()
        if chroma == 3 and bits.take(1):
            # Planes that are coded apart: no encoder in use writes them.
            return 4, True
        bits.number(), bits.number(), bits.take(1)
        if bits.take(1):
            _skip_scaling_lists(bits, 12 if chroma == 3 else 8)
    number_bits = bits.number() + 4
    order = bits.number()
    if order == 0:
        bits.number()
    elif order == 1:
        bits.take(1), bits.number(), bits.number()
        for _ in range(min(bits.number(), 255)):
            bits.number()
    bits.number(), bits.take(1), bits.number(), bits.number()
    return number_bits, not bits.take(1)


def _skip_scaling_lists(bits, count):
    for place in range(count):
        if not bits.take(1):
            continue
        last, following = 8, 8
        for _ in range(16 if place < 6 else 64):
            if following:
                code = bits.number()
                change = (code + 1) // 2 if code % 2 else -(code // 2)
                following = (last + change) % 256
            last = following or last


def _units_in_header(extradata):
    """The parameter sets of an MP4's or a Matroska's header, or of a stream's own."""
    if extradata[:1] != b"\1":
        return list(_units(extradata))
    units, place = [], 6
    for _ in range(extradata[5] & 31 if len(extradata) > 5 else 0):
        size = int.from_bytes(extradata[place : place + 2], "big")
        units.append(extradata[place + 2 : place + 2 + size])
        place += 2 + size
    return units


def _units_in_hevc_header(extradata):
    """As `_units_in_header`, of HEVC (ISO/IEC 14496-15 section 8.3.3.1)."""
    if extradata[:1] != b"\1":
        return list(_units(extradata))
    units, place = [], 23
    for _ in range(extradata[22] if len(extradata) > 22 else 0):
        count = int.from_bytes(extradata[place + 1 : place + 3], "big")
        place += 3
        while count and place < len(extradata):
            count -= 1
            size = int.from_bytes(extradata[place : place + 2], "big")
            units.append(extradata[place + 2 : place + 2 + size])
            place += 2 + size
    return units


def _units(data, length_size=0):
    """Yields the units of a packet, whose sizes stand before them or which start by 0, 0, 1."""
    place = 0
    while length_size and place + length_size < len(data):
        size = int.from_bytes(data[place : place + length_size], "big")
        place += length_size
        yield data[place : place + size]
        place += size
    if not length_size:
        yield from bytes(data).split(b"\0\0\1")[1:]


def _plain(unit):
    """A unit without the bytes that keep 0, 0, 1 out of it."""
    return unit.replace(b"\0\0\3", b"\0\0")


class _Bits:
    """Reads bits from the highest on; behind the end they are 0."""

    def __init__(self, data):
        self._value, self._left = int.from_bytes(data, "big"), 8 * len(data)

    def take(self, count):
        """The next bits as a number."""
        self._left -= count
        return (self._value >> self._left if self._left >= 0 else 0) & ((1 << count) - 1)

    def number(self):
        """The next number in Exp-Golomb code."""
        zeros = 0
        while not self.take(1) and zeros < 32:
            zeros += 1
        return (1 << zeros) - 1 + self.take(zeros)


_KINDS = {
    **dict.fromkeys(("av1", "libdav1d", "vvc"), CodedFrames),
    "vp8": _Vp8,
    "vp9": _Vp9,
    "h264": _H264,
    "hevc": _Hevc,
    "mpeg4": _Mpeg4,
    "mpeg2video": _Mpeg2,
    "mpeg1video": _Mpeg2,
}
