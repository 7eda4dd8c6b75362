#!/usr/bin/env python3
"""Makes vectors.json: `python3 generate.py > vectors.json`.

An implementation of the erasure code of docs/format.md by its definition and nothing else: products bit by bit, inverses by
trial, every parity byte as a sum. It shares no code, no table and no method with the program.
"""
import hashlib
import json

POLYNOMIAL = 0x11D


def multiply(a, b):
    """Carry-less product, then the remainder of the division by the polynomial."""
    product = 0
    for bit in range(8):
        if b >> bit & 1:
            product ^= a << bit
    for bit in range(14, 7, -1):
        if product >> bit & 1:
            product ^= POLYNOMIAL << (bit - 8)
    return product


def divide(a, b):
    return next(quotient for quotient in range(256) if multiply(quotient, b) == a)


def factor(row, column):
    """1 / (x + y), each column and then each row divided by its entry in the first row and column."""

    def entry(r, c):
        return divide(1, (255 - r) ^ c)

    def scaled(r, c):
        return divide(entry(r, c), entry(0, c))

    return divide(scaled(row, column), scaled(row, 0))


def content(label, length):
    """Bytes that anybody can make again: SHA-256 of the label and a counter."""
    out = b""
    while len(out) < length:
        out += hashlib.sha256(f"{label}/{len(out) // 32}".encode()).digest()
    return out[:length]


PRODUCTS = [[multiply(a, b) for b in range(256)] for a in range(256)]


def encode(data, m):
    length = len(data[0])
    parity = []
    for row in range(m):
        out = bytearray(length)
        for column, piece in enumerate(data):
            times = PRODUCTS[factor(row, column)]
            for at, byte in enumerate(piece):
                out[at] ^= times[byte]
        parity.append(bytes(out))
    return parity


def shown(piece):
    return {"bytes": len(piece), "sha256": hashlib.sha256(piece).hexdigest(), "first16": piece[:16].hex()}


# k, m and the lengths of the data slices: whole stripes, short last slices, missing ones, lengths around every step of a kernel.
SHAPES = (
    [(2, 1, [1, 1]), (2, 2, [16, 3]), (3, 1, [1000, 1000, 1000]), (3, 2, [31, 31, 0]), (4, 2, [4096] * 4)]
    + [(4, 2, [100, 100, 7, 0]), (4, 2, [33, 0, 0, 0]), (5, 3, [65, 65, 65, 65, 64]), (8, 3, [257] * 8), (8, 4, [1025] * 7 + [1])]
    + [(10, 4, [20000] * 10), (16, 2, [16385] * 16), (16, 8, [63] * 15 + [62]), (6, 6, [129] * 6)]
)

vectors = []
for k, m, lengths in SHAPES:
    label = f"{k}+{m}/{'-'.join(map(str, lengths)) if k < 6 else lengths[0]}"
    data = [content(f"{label}/{at}", length) for at, length in enumerate(lengths)]
    vectors.append(
        {"k": k, "m": m, "label": label, "lengths": lengths, "data": [shown(piece) for piece in data],
         "parity": [shown(piece) for piece in encode(data, m)]}
    )

matrix = [[factor(row, column) for column in range(16)] for row in range(8)]
product = hashlib.sha256(bytes(PRODUCTS[a][b] for a in range(256) for b in range(256))).hexdigest()
print(json.dumps({"products": product, "matrix": matrix, "row239": [factor(239, c) for c in range(16)], "vectors": vectors}, indent=1))
