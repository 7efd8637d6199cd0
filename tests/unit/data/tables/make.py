#!/usr/bin/python3
"""Make the small HDF5 files of tests/unit/tables.c (needs h5py). Run in this folder."""
import h5py
import numpy as np


def put(name, low=None, **file_options):
    return h5py.File(name, "w", libver=low, **file_options)


def compact(f, name, value):
    plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    plist.set_layout(h5py.h5d.COMPACT)
    value = np.ascontiguousarray(value)
    tid = h5py.h5t.py_create(value.dtype)
    d = h5py.h5d.create(f.id, name.encode(), tid, h5py.h5s.create_simple(value.shape), plist)
    d.write(h5py.h5s.ALL, h5py.h5s.ALL, value)


def model(name, c, terms, user=True):
    with put(name, userblock_size=512 if user else 0) as f:
        compact(f, "Coefficients", c)
        compact(f, "ModelTerms", terms)
    if user:
        with open(name, "r+b") as f:
            f.write(b"MATLAB 7.3 MAT-file, made for a test".ljust(124) + b"\0\2IM")


offset = np.array([20.5, -3, 7, np.nan, 11], "f4")
coef = np.array([[2.5], [-1], [100], [7]], "f4")
terms = np.array([[1, 0, 2, 0], [0, 3, 1, 0], [1, 0, 0, 0]], "f8")

with put("info.h5") as f:
    f["offset"] = offset
    f["mean"] = offset * 2
with put("info_column_f64.h5", "latest") as f:
    f.create_dataset("offset", data=offset.astype("f8")[:, None], chunks=(2, 1), compression="gzip", shuffle=True)
with put("info_integers.h5") as f:
    f["offset"] = np.array([3, -4], ">i2")
with put("info_missing.h5") as f:
    f["mean"] = offset
with put("info_group.h5") as f:
    f.create_group("offset")
with put("info_rank3.h5") as f:
    f["offset"] = np.zeros((2, 2, 2), "f4")
with put("info_matrix.h5") as f:
    f["offset"] = np.zeros((2, 3), "f4")
with put("info_scalar.h5") as f:
    f["offset"] = np.float32(4)
with put("info_empty.h5") as f:
    f["offset"] = np.zeros(0, "f4")
with put("info_text.h5") as f:
    f["offset"] = np.array([b"one", b"two"])
with put("info_huge.h5") as f:
    f.create_dataset("offset", shape=(1 << 40,), dtype="f4", chunks=(1024,))
with put("info_huge_matrix.h5") as f:
    f.create_dataset("offset", shape=(1 << 33, 1 << 33), dtype="f4", chunks=(8, 8))
with put("info_external_storage.h5") as f:
    f.create_dataset("offset", shape=(5,), dtype="f4", external=[("info.h5", 0, 20)])
with put("info_external_link.h5") as f:
    f["offset"] = h5py.ExternalLink("info.h5", "/offset")
with put("info_external_group.h5") as f:
    f["outside"] = h5py.ExternalLink("info.h5", "/")
    f["offset"] = h5py.SoftLink("/outside/offset")
with put("info_soft_link.h5") as f:
    f["values"] = offset
    f["offset"] = h5py.SoftLink("/values")
with put("info_dangling.h5") as f:
    f["offset"] = h5py.SoftLink("/nowhere")
with put("info_loop.h5") as f:
    f["offset"] = h5py.SoftLink("/offset")
with put("info_virtual.h5", "latest") as f:
    v = h5py.VirtualLayout((5,), "f4")
    v[:] = h5py.VirtualSource("info.h5", "offset", (5,))
    f.create_virtual_dataset("offset", v)

model("model.h5", coef, terms)
model("model_plain.h5", coef[:, 0].astype("f8"), terms.astype("i4"), user=False)
model("model_nan.h5", np.array([[2.5], [np.nan], [100], [7]], "f4"), terms)
model("model_two_rows.h5", coef, terms[:2])
model("model_short.h5", coef, terms[:, :3])
model("model_negative.h5", coef, terms - 1)
model("model_fraction.h5", coef, terms / 2)
model("model_steep.h5", coef, terms * 100)
