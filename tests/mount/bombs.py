"""Small files that ask for much: bytes, directories, names, shapes, tags. Each is made on the spot, a few MB at most."""
import lzma
import struct
import zlib

import h5py
import numpy as np

SHORT, LONG, ASCII, LONG8 = 3, 4, 2, 16


def tiff(entries, body=b"", more=b""):
    """A little-endian TIFF: `body` at 8, then one directory, then `more`. Values are numbers that fit the entry."""
    at = 8 + len(body) + len(body) % 2
    directory = struct.pack("<H", len(entries))
    for tag, kind, count, value in sorted(entries):
        directory += struct.pack("<HHI", tag, kind, count) + struct.pack("<HH" if kind == SHORT else "<I",
                                                                         *((value, 0) if kind == SHORT else (value,)))
    return struct.pack("<2sHI", b"II", 42, at) + body + bytes(len(body) % 2) + directory + bytes(4) + more


def image(w, h, compression, count, offset=8, rows=None, bits=8):
    return [(256, LONG, 1, w), (257, LONG, 1, h), (258, SHORT, 1, bits), (259, SHORT, 1, compression), (262, SHORT, 1, 1),
            (273, LONG, 1, offset), (277, SHORT, 1, 1), (278, LONG, 1, rows or h), (279, LONG, 1, count)]


def deflated(n):
    """n zeros (rounded down to MB) as zlib packs them: one flushed block repeated, and the checksum by arithmetic."""
    made = zlib.compressobj(9, zlib.DEFLATED, -15)
    block = made.compress(bytes(1 << 20)) + made.flush(zlib.Z_FULL_FLUSH)
    n &= -(1 << 20)
    return b"\x78\xda" + block * (n >> 20) + b"\x03\x00" + struct.pack(">I", (n % 65521) << 16 | 1)


def lzma_packed(n):
    made = lzma.LZMACompressor(lzma.FORMAT_XZ, lzma.CHECK_NONE, filters=[{"id": lzma.FILTER_LZMA2, "dict_size": 1 << 16}])
    return b"".join([made.compress(bytes(1 << 20)) for _ in range(n >> 20)]) + made.flush()


def honest_bomb(pack, compression, side):
    """The image is as large as it says, and all zeros."""
    strip = pack(side * side)
    return tiff(image(side, side, compression, len(strip)), strip)


def lying_bomb(pack, compression, n):
    """100 x 100 pixels, and a strip that would unpack to n bytes."""
    strip = pack(n)
    return tiff(image(100, 100, compression, len(strip)), strip)


def tag_bomb(tags=3000, count=250000):
    """Every private tag points at the same megabyte: 3 GB of tags in a file of 1.1 MB."""
    body = bytes(4 * count)
    private = [(40000 + i, LONG, count, 8) for i in range(tags)]
    return tiff(image(10, 10, 1, 100) + private, body)


def description_bomb(n):
    """The description, the software and the artist are each as long as the file and lie upon each other."""
    text = b"ImageJ=1.53t\nimages=1\n" + b"x=1\n" * (n // 4)
    return tiff(image(10, 10, 1, 100) + [(t, ASCII, len(text), 8) for t in (270, 305, 315)], text)


def directory_chain(n, pixels=True):
    """n directories, one behind the other, all of the same 10 x 10 pixels."""
    entries = image(10, 10, 1, 100)
    size = 2 + 12 * len(entries) + 4
    first = 8 + 100
    one = struct.pack("<H", len(entries)) + b"".join(
        struct.pack("<HHI", tag, kind, count) + struct.pack("<HH" if kind == SHORT else "<I",
                                                            *((value, 0) if kind == SHORT else (value,)))
        for tag, kind, count, value in entries)
    links = first + size * np.arange(1, n + 1, dtype="<u4")
    links[-1] = 0
    table = np.empty((n, size), "u1")
    table[:, :-4] = np.frombuffer(one, "u1")
    table[:, -4:] = links.view("u1").reshape(n, 4)
    return struct.pack("<2sHI", b"II", 42, first) + bytes(100) + table.tobytes()


def empty_chain(n):
    """n directories without an entry: 6 bytes each."""
    links = 8 + 6 * np.arange(1, n + 1, dtype="<u4")
    links[-1] = 0
    table = np.zeros((n, 6), "u1")
    table[:, 2:] = links.view("u1").reshape(n, 4)
    return struct.pack("<2sHI", b"II", 42, 8) + table.tobytes()


def vast(w, h, compression=1, tiles=False, rows=None):
    entries = image(w, h, compression, 100, rows=rows)
    if tiles:
        entries = [e for e in entries if e[0] not in (273, 278, 279)]
        entries += [(322, LONG, 1, 0x7FFFFFF0), (323, LONG, 1, 0x7FFFFFF0), (324, LONG, 1, 8), (325, LONG, 1, 100)]
    return tiff(entries, bytes(100))


def strip_bomb(strips):
    """Strip tables that claim more entries than the file has bytes."""
    entries = [e for e in image(10, strips, 8, 0, rows=1) if e[0] not in (273, 279)]
    return tiff(entries + [(273, LONG, strips, 8), (279, LONG, strips, 8)], bytes(1000))


def bigtiff(entries, body=bytes(100)):
    at = 16 + len(body) + len(body) % 8
    directory = struct.pack("<Q", len(entries))
    for tag, kind, count, value in sorted(entries):
        directory += struct.pack("<HHQQ", tag, kind, count, value)
    return struct.pack("<2sHHHQ", b"II", 43, 8, 0, at) + body + bytes(-len(body) % 8) + directory + bytes(8)


def ome(xml):
    return tiff(image(10, 10, 1, 100) + [(270, ASCII, len(xml) + 1, 8 + 100)], bytes(100) + xml + b"\0")


def laughs():
    """Entities of entities: 10^9 words."""
    entities = b"".join(b'<!ENTITY l%d "%s">' % (i, b"&l%d;" % (i - 1) * 10) for i in range(1, 10))
    return ome(b'<?xml version="1.0"?><!DOCTYPE OME [<!ENTITY l0 "laugh">' + entities + b']><OME xmlns="http://www.'
               b'openmicroscopy.org/Schemas/OME/2016-06"><Image ID="Image:0"><Pixels>&l9;</Pixels></Image></OME>')


def deep_xml(n=300000):
    return ome(b'<?xml version="1.0"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06">' + b"<a>" * n +
               b"</a>" * n + b"</OME>")


def ome_vast():
    """A stack of 2^31 planes in each direction, by its XML."""
    return ome(b'<?xml version="1.0"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"><Image ID="Image:0">'
               b'<Pixels ID="Pixels:0" DimensionOrder="XYZCT" Type="uint8" SizeX="10" SizeY="10" SizeZ="2147483647" '
               b'SizeC="2147483647" SizeT="2147483647"><TiffData/></Pixels></Image></OME>')


def imagej_vast(images):
    text = b"ImageJ=1.53t\nimages=%d\nslices=%d\n\0" % (images, images)
    return tiff(image(10, 10, 1, 100) + [(270, ASCII, len(text), 108)], bytes(100) + text)


TIFFS = {
    "deflate": lambda: honest_bomb(deflated, 8, 30000), "lzma": lambda: honest_bomb(lzma_packed, 34925, 9000),
    "deflate-lies": lambda: lying_bomb(deflated, 8, 1 << 30),
    "lzma-lies": lambda: lying_bomb(lzma_packed, 34925, 64 << 20),
    "tags": tag_bomb, "description": lambda: description_bomb(40 << 20), "directories": lambda: directory_chain(1000000),
    "empty-directories": lambda: empty_chain(3000000), "sides": lambda: vast(0x7FFFFFFF, 0x7FFFFFFF),
    "sides-unsigned": lambda: vast(0xFFFFFFFF, 0xFFFFFFFF, rows=0xFFFFFFFF), "wide": lambda: vast(0x7FFFFFFF, 1, 8),
    "high": lambda: vast(1, 0x7FFFFFFF, 8), "tiles": lambda: vast(0x7FFFFFFF, 0x7FFFFFFF, 8, tiles=True),
    "packed-sides": lambda: vast(1 << 20, 1 << 20, 5), "strips": lambda: strip_bomb(0x7FFFFFFF),
    "million-strips": lambda: strip_bomb(4000000),
    "big-counts": lambda: bigtiff([(256, LONG, 1 << 60, 8), *image(10, 10, 1, 100)[1:]]),
    "big-strips": lambda: bigtiff([(t, k, c, v) for t, k, c, v in image(10, 10, 8, 100) if t not in (273, 279)] +
                                  [(273, LONG8, 1 << 61, 16), (279, LONG8, 1 << 61, 16)]),
    "laughs": laughs, "deep": deep_xml, "ome-planes": ome_vast, "imagej-planes": lambda: imagej_vast(2**31 - 1),
}


def h5_vast(path, name, shape, dtype="float64", chunks=(1024, 1024)):
    """A dataset of that shape of which no chunk was ever written."""
    with h5py.File(path, "w") as f:
        f.create_dataset(name, shape, dtype, chunks=chunks, compression="gzip")


def h5_zipped(path, name, rows, n=1 << 27):
    """One chunk of 1 GiB in 1 MB, of which the dataset has that many rows."""
    with h5py.File(path, "w") as f:
        d = f.create_dataset(name, (rows, 1), "float64", maxshape=(None, 1), chunks=(n, 1), compression="gzip")
        d.id.write_direct_chunk((0, 0), deflated(8 * n))


def h5_groups(path, n=20000):
    """A name that is n soft links away, and a group within a group 5000 times."""
    with h5py.File(path, "w") as f:
        for i in range(n):
            f[f"l{i}"] = h5py.SoftLink(f"/l{i + 1}")
        f["offset"] = h5py.SoftLink("/l0")
        group = f
        for i in range(5000):
            group = group.create_group("g")
