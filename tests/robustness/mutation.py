"""Damaging bytes at random, as a fuzzer does: everything follows from a generator's draws."""

import struct

# What parsers trip over: no text, what is no number, what a number cannot hold, deep nesting.
TOKENS = (
    *(b"\0", b"\xff\xfe", b"\xed\xa0\x80", b"\xef\xbb\xbf", b"\r", b"\n\n"),
    *(b'"', b"'", b",,", b";"),
    *(b"nan", b"-inf", b"1e999", b"-1", b"0", b"1_0", b"\xd9\xa3", b"9" * 25, b"9" * 5000),
    *(b"\\ud800", b'"\\ud800"', b"[" * 3000, b"{" * 300, b'{"a":' * 2000, b"(" * 300, b"&a [*a]"),
    *(b"null", b"true", b"[]", b"{}", b"1.5", b"!!python/object/apply:os.system [id]", b"*a"),
    *(b"../", b"/", b"/dev/zero", b"~", b"%s", b"\t", b"\x85", b"\xe2\x80\xa8", b"x" * 200_000),
)
NUMBERS = (0, 1, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 1_000_000_000)


def mutated(data, draws):
    """`data` with one to eight kinds of damage; `draws` is a random.Random."""
    data = bytearray(data)
    for _ in range(draws.choice((1, 1, 2, 4, 8))):
        _damage(draws, data)
    return bytes(data)


def _damage(draws, data):
    start = draws.randrange(len(data) + 1)
    stop = min(len(data), start + draws.choice((1, 2, 4, 16, 256)))
    kind = draws.randrange(9)
    if kind == 0:
        data[start:stop] = bytes(draws.randrange(256) for _ in range(stop - start))
    elif kind == 1:
        data[start:stop] = b""
    elif kind == 2:
        data[start:start] = data[start:stop] * draws.choice((1, 2, 50))
    elif kind in (3, 4):
        data[start : draws.choice((start, stop))] = draws.choice(TOKENS)
    elif kind == 5 and stop > start:
        data[start] ^= 1 << draws.randrange(8)
    elif kind == 6:
        number = draws.choice(NUMBERS)
        data[start : start + 4] = struct.pack(draws.choice((">I", "<I")), number)
    elif kind == 7 and draws.random() < 0.3:
        del data[start:]
    elif kind == 8:
        other = draws.randrange(len(data) + 1)
        data[start:stop] = data[other : other + stop - start]
