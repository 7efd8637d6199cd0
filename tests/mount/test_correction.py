"""The correction pipeline as a user sees it: reference results, the same bits however made, tables that are bad."""
import os
import shutil
import subprocess
import time

import numpy as np
import pytest
import tifffile

import compare
import harness
import sources
from compare import ALONE, ALONE_U16, ALONE_U8, CHAIN, CHAIN_U8

h5py = pytest.importorskip("h5py")
STAGES = ["destriped", "flattened", "denoised", "corrected"]
STRIPES = "scales=3,bands_len=61:61:81,mask_len=5:9:13"
PREDICT = STRIPES + ",details_len=31"


def stack(folder, planes, config=None, where="img", tables=()):
    """SOURCE with one section stack in it: {name: plane}, its tables, and a configuration beside it."""
    (folder / where).mkdir(parents=True)
    for name, plane in planes.items():
        tifffile.imwrite(folder / where / name, plane, photometric="minisblack")
    for table in tables:
        shutil.copy(table, folder / where)
    if config:
        (folder / "planefs.ini").write_text(config)
    return folder


def fails(m, name, number=5):
    """Reading fails with this errno and a sentence, which is given back."""
    with pytest.raises(OSError) as caught:
        (m / name).read_bytes()
    assert caught.value.errno == number, f"{name}: {caught.value}"
    reason = m.error(name).strip()
    assert len(reason.split()) > 3, f"{name}: {reason!r} is no sentence"
    return reason


# ---- reference results ----

@pytest.mark.parametrize("name, number", [("g1", "05600"), ("g2", "00300")])
def test_whole_sections(mount, folder, name, number):
    """All four stages of a section with real tables, its place in the stack from the configuration."""
    raw = compare.golden(f"{name}_raw.tif")
    h, w = raw.shape
    m = mount(stack(folder / "src", {f"{number}.tif": raw}, f'[dataset "img"]\nshape = 11260, {h}, {w}\n',
                    tables=compare.tables()))
    for stage in STAGES:
        got = tifffile.imread(m / f"img/{stage}/{number}.tif")
        if stage in ("destriped", "corrected") or name == "g1":
            tolerance = CHAIN_U8 if stage == "corrected" else CHAIN
            compare.expect_near(got, compare.golden(f"{name}_{stage}.tif"), tolerance, f"{name} {stage}")
    inverted = tifffile.imread(m / f"img/inverted/{number}.tif")
    np.testing.assert_array_equal(inverted, 65535 - raw)


# Reference file, input, recipe, parameters, tolerance.
CASES = [
    ("destripe_predict_vertical", "raw", "invert | destripe", PREDICT, CHAIN),
    ("destripe_predict_horizontal", "turned", "invert | destripe", PREDICT + ",direction=horizontal", CHAIN),
    ("destripe_predict_nobeta_nolen", "raw", "invert | destripe",
     STRIPES + ",adjust_beta=0,details_first=1.2,details_last=none,details_len=0", CHAIN),
    ("destripe_predict_roi", "masked", "invert | destripe", PREDICT, CHAIN),
    ("destripe_limit", "raw", "invert | destripe",
     "scales=4,details_len=31,method=limit,bands_len=61,mask_len=0,thresh_mul=1", CHAIN),
    ("destripe_limit_mask", "raw", "invert | destripe",
     "scales=2,details_len=31,method=limit,bands_len=61,mask_len=7,thresh_mul=1", CHAIN),
    ("destripe_ratio", "raw", "invert | destripe",
     "scales=2,details_len=0,details_first=2,details_last=1,details_middle=none,adjust_beta=0,method=ratio,bands_len=61,"
     "mask_len=5,weight=0.25,thresh_mul=1", CHAIN),
    ("background_z1234_y4000_x7000", "window", "invert | background", "offsets=1", ALONE),
    ("denoise_em", "flat", "denoise", "scales=1", ALONE),
    ("denoise_three_scales", "flat", "denoise",
     "scales=3,gain=3.418e-6:4.114e-6:5e-6:6e-6,offset=-1.123:4.394:2:1", ALONE),
    ("denoise_nosplit_nopropagate", "flat", "denoise",
     "scales=2,wsize=5,split_hipass=0,propagate_noise=0,gain=3e-6:4e-6,offset=-1:2", ALONE),
    ("contrast_em", "flat", "contrast", "ratio=2", ALONE_U8),
    ("contrast_left", "flat", "contrast", "clip=-1:1,redistribute=left", ALONE_U8),
    ("contrast_full", "flat", "contrast", "redistribute=full", ALONE_U8),
    ("contrast_noclip", "flat", "contrast", "clip=none", ALONE_U8),
    ("contrast_noratio", "flat", "contrast", "ratio=0", ALONE_U8),
    ("contrast_u16", "flat", "contrast", "low=0,high=65535,pixel=u16,smoothing=101,minmax_size=9", ALONE_U16),
]


def small_source(folder, kind):
    """One small section, its mask or its place in the stack. Gives the rest of the configuration."""
    plane = compare.golden("s_background_z1234_y4000_x7000.tif" if kind == "flat" else "s_raw.tif")
    config = {"masked": "mask = shapes/inside.tif\n", "window": "shape = 11260, 9000, 13750\norigin = 0, 4000, 7000\n"}
    stack(folder, {"1234.tif": plane.T if kind == "turned" else plane},
          tables=compare.tables() if kind == "window" else ())
    if kind == "masked":
        (folder / "shapes").mkdir()
        shutil.copy(compare.SMALL / "s_mask.tif", folder / "shapes/inside.tif")
    return f'[dataset "img"]\n{config[kind]}' if kind in config else ""


@pytest.mark.parametrize("name, kind, recipe, settings, tolerance", CASES, ids=[c[0] for c in CASES])
def test_one_operator(mount, folder, name, kind, recipe, settings, tolerance):
    """A view of the user's own, its parameters once in planefs.ini and once in the path: the same result, made once."""
    config = small_source(folder / "src", kind)
    keys = "".join(f"{k} = {v.replace(':', ', ')}\n" for k, v in (s.split("=") for s in settings.split(",")))
    config += f'[view "told"]\nrecipe = {recipe}\n{keys}[view "plain"]\nrecipe = {recipe}\n'
    (folder / "src/planefs.ini").write_text(config)
    m = mount(folder / "src")
    want = compare.golden(f"s_{name}.tif")
    got = tifffile.imread(m / "img/told/1234.tif")
    compare.expect_near(got, want, tolerance, name)
    assert m.jobs() == 1
    again = tifffile.imread(m / f"img/plain@{settings}/1234.tif")
    np.testing.assert_array_equal(again, got)
    assert m.jobs() == 1, "two ways to say the same are one result"


def test_a_masked_out_pixel_keeps_its_value(mount, folder):
    config = small_source(folder / "src", "masked")
    (folder / "src/planefs.ini").write_text(config)
    m = mount(folder / "src")
    outside = compare.golden("s_mask.tif") == 0
    inverted = tifffile.imread(m / "img/inverted/1234.tif").astype("f4")
    destriped = tifffile.imread(m / "img/destriped/1234.tif")
    assert outside.any() and not outside.all()
    np.testing.assert_array_equal(destriped[outside], inverted[outside])
    assert (destriped[~outside] != inverted[~outside]).mean() > 0.9


# ---- the same bits ----

def pixels(m, name):
    return tifffile.imread(m / name).tobytes()


def test_same_bits_however_made(mount, folder):
    """Alone on all cores, beside others on one, with one worker, cold, warm, after a remount: one set of bits."""
    source = sources.sections(folder / "em", range(5), h=700, w=900)
    names = [f"{stage}/sec_{z:04}.tif" for z in range(5) for stage in ("destriped", "corrected")]
    alone = mount(source)
    want = {n: pixels(alone, n) for n in names}
    assert {n: pixels(alone, n) for n in names} == want, "read again"
    alone.remount()
    assert {n: pixels(alone, n) for n in names} == want and alone.jobs() == 0, "after a remount"
    alone.remount(fresh=True)
    assert {n: pixels(alone, n) for n in reversed(names)} == want, "in another order"
    alone.stop()
    single = mount(source, options=["workers=1"])
    assert {n: pixels(single, n) for n in names[::3]} == {n: want[n] for n in names[::3]}, "one worker"
    single.stop()
    crowd = mount(source)
    programs = {n: subprocess.Popen(["cat", crowd / n], stdout=subprocess.PIPE) for n in names}
    whole = {n: p.communicate(timeout=120 * harness.SLOW)[0] for n, p in programs.items()}
    assert all(whole[n].endswith(want[n]) for n in names), "all at once"


def test_a_moved_and_a_copied_data_set_are_hits(mount, folder):
    """With tables: the key holds their numbers, not their place; nothing is computed again."""
    source = stack(folder / "a", {"05600.tif": sources.section(200, 300)}, tables=compare.tables())
    m = mount(source, frozen=False)
    want = pixels(m, "img/corrected/05600.tif")
    m.stop()
    shutil.copytree(source, folder / "copy/deeper")
    os.rename(source, folder / "moved")
    for where in (folder / "copy/deeper", folder / "moved", folder / "moved/img"):
        other = mount(where, cache=m.cache, frozen=False)
        name = "corrected/05600.tif" if where.name == "img" else "img/corrected/05600.tif"
        assert pixels(other, name) == want
        assert other.jobs() == 0, f"{where} was computed again"
        other.stop()


def test_another_offset_is_another_result(mount, folder):
    """What a section's pixels depend on is in its key: a changed offset of section 2 concerns section 2 alone."""
    source = stack(folder / "src", {f"{z}.tif": sources.section(60, 80, z) for z in (1, 2)})
    h5py.File(source / "img/info.h5", "w")["offset"] = np.array([0, 10, 20], "f4")
    m = mount(source, frozen=False)
    before = {z: tifffile.imread(m / f"img/flattened/{z}.tif") for z in (1, 2)}
    m.stop()
    h5py.File(source / "img/info.h5", "w")["offset"] = np.array([0, 10, 120], "f4")
    m.start()
    np.testing.assert_array_equal(tifffile.imread(m / "img/flattened/1.tif"), before[1])
    assert m.jobs() == 0
    np.testing.assert_allclose(tifffile.imread(m / "img/flattened/2.tif"), before[2] - 100, atol=0.01)
    assert m.jobs() == 1


# ---- only what is needed, once ----

def test_a_cached_stage_is_the_start_of_the_next(mount, folder):
    """destriped, then corrected: one job each and the same bits as made in one go, which writes no other entry."""
    source = sources.sections(folder / "em", [1, 2], h=900, w=1100)
    one = mount(source)
    before = one.status()["entries"]
    want = pixels(one, "corrected/sec_0001.tif")
    assert one.jobs() == 1
    made = one.status()["entries"] - before
    for stage in STAGES[:3]:
        assert os.getxattr(one / f"{stage}/sec_0001.tif", "user.planefs.state") == b"cold", "nobody asked for it"
    one.stop()
    two = mount(source)
    assert pixels(two, "denoised/sec_0001.tif") and two.jobs() == 1
    entries = two.status()["entries"]
    assert pixels(two, "corrected/sec_0001.tif") == want and two.jobs() == 2
    assert two.status()["entries"] == entries + 1 and made == entries - before


def test_the_next_stage_costs_its_own_time(mount, folder):
    """From a cached denoised section only the contrast is left: a fraction of the whole."""
    source = sources.sections(folder / "em", [1, 2], h=1600, w=1600)
    m = mount(source)

    def seconds(name):
        begin = time.monotonic()
        (m / name).read_bytes()
        return time.monotonic() - begin
    whole = seconds("corrected/sec_0001.tif")
    m.remount(fresh=True)
    seconds("denoised/sec_0001.tif")
    assert seconds("corrected/sec_0001.tif") < 0.7 * whole


# ---- tables ----

def bad_tables(where, what):
    good = {"offset": np.arange(10, dtype="f4")}
    terms = {"Coefficients": np.array([[1.0], [2.0]]), "ModelTerms": np.array([[0, 1], [0, 0], [0, 0]], "f8")}
    if what == "missing dataset":
        good = {"mean": good["offset"]}
    if what == "wrong rank":
        good["offset"] = np.zeros((2, 2, 2), "f4")
    if what == "beyond the offsets":
        good["offset"] = np.arange(3, dtype="f4")
    if what == "offset is NaN":
        good["offset"][5] = np.nan
    if what == "NaN coefficients":
        terms["Coefficients"][1] = np.nan
    if what == "terms do not fit":
        terms["ModelTerms"] = np.zeros((3, 5))
    for name, content in (("info.h5", good), ("polymodel.h5", terms)):
        with h5py.File(where / name, "w") as f:
            for key, value in content.items():
                f[key] = value
    if what == "no HDF5":
        (where / "polymodel.h5").write_bytes(b"not a table\n" * 100)
    if what == "cut off":
        whole = (where / "info.h5").read_bytes()
        (where / "info.h5").write_bytes(whole[:len(whole) // 2])


BAD = {"missing dataset": "offset", "wrong rank": "rank", "beyond the offsets": "section 5", "offset is NaN": "section 5",
       "NaN coefficients": "Coefficients", "terms do not fit": "ModelTerms", "no HDF5": "polymodel.h5",
       "cut off": "info.h5"}


@pytest.mark.parametrize("what", BAD)
def test_bad_tables(mount, folder, what):
    """EIO and a sentence for the views that need the tables, and for them alone; mended tables mend the views."""
    source = stack(folder / "src", {f"{z}.tif": sources.section(50, 70, z) for z in (5, 6)},
                   '[view "stripes"]\nrecipe = invert | destripe\nscales = 2\n')
    bad_tables(source / "img", what)
    m = mount(source, frozen=False)
    for stage in ("flattened", "denoised", "corrected"):
        assert BAD[what] in fails(m, f"img/{stage}/5.tif")
    np.testing.assert_array_equal(tifffile.imread(m / "img/source/5.tif"), sources.section(50, 70, 5))
    for view in ("inverted", "destriped", "stripes"):
        assert tifffile.imread(m / f"img/{view}/5.tif").shape == (50, 70)
        assert m.error(f"img/{view}/5.tif") == ""
    assert len(os.listdir(m / "img/corrected")) == 2, "a view that fails stays listed"
    if what == "offset is NaN":
        assert tifffile.imread(m / "img/corrected/6.tif").dtype == np.uint8
    m.stop()
    bad_tables(source / "img", "nothing")
    m.start()
    assert tifffile.imread(m / "img/corrected/5.tif").dtype == np.uint8


def test_without_tables_the_background_is_left_alone(mount, folder):
    source = stack(folder / "src", {"7.tif": sources.section(90, 70)})
    m = mount(source)
    assert pixels(m, "img/flattened/7.tif") == pixels(m, "img/destriped/7.tif")
    assert '"info":null' in (m / "img/info.json").read_text().replace(" ", "")


def test_tables_elsewhere(mount, folder):
    """info and model of the configuration, also for a stack that has none beside it; NZ defaults to the offsets'."""
    info, model = compare.tables()
    source = stack(folder / "src", {"00100.tif": sources.section(80, 120)},
                   '[dataset "img"]\ninfo = tables/a.h5\nmodel = tables/b.h5\n')
    (source / "tables").mkdir()
    shutil.copy(info, source / "tables/a.h5")
    shutil.copy(model, source / "tables/b.h5")
    beside = stack(folder / "beside", {"00100.tif": sources.section(80, 120)},
                   '[dataset "img"]\nshape = 11260, 80, 120\n', tables=(info, model))
    a, b = mount(source), mount(beside)
    assert pixels(a, "img/flattened/00100.tif") == pixels(b, "img/flattened/00100.tif")
    assert pixels(a, "img/flattened/00100.tif") != pixels(a, "img/destriped/00100.tif")


# ---- other types ----

@pytest.mark.parametrize("dtype, top, unit", [("uint8", 255, 1 / 257), ("float32", 65535, 1), ("uint16", 65535, 1)])
def test_types(mount, folder, dtype, top, unit):
    """8-bit sources get the preset scaled, float sources that of 16 bits; judged by the method written in NumPy."""
    oracle = pytest.importorskip("oracle")
    raw = (compare.golden("s_raw.tif") * unit).astype(dtype)
    m = mount(stack(folder / "src", {"3.tif": raw}))
    for stage, want in zip(STAGES, oracle.correct(raw, top, unit)):
        got = tifffile.imread(m / f"img/{stage}/3.tif")
        want = want.astype(got.dtype)
        tolerance = CHAIN_U8 if stage == "corrected" else tuple(v * unit for v in CHAIN[:3]) + (0,)
        compare.expect_near(got, want, tolerance, f"{dtype} {stage}")
    assert tifffile.imread(m / "img/inverted/3.tif").dtype == dtype


def test_odd_planes(mount, folder):
    """One row, one column, one pixel: every stage has an answer of the right size, finite where the source is."""
    for i, shape in enumerate([(1, 40), (40, 1), (1, 1), (2, 3)]):
        stack(folder / "src", {f"{i}.tif": sources.texture((2, *shape))[0]}, where=f"s{chr(97 + i)}")
    m = mount(folder / "src")
    for i, shape in enumerate([(1, 40), (40, 1), (1, 1), (2, 3)]):
        for stage in STAGES:
            got = tifffile.imread(m / f"s{chr(97 + i)}/{stage}/{i}.tif")
            assert got.shape == shape or got.squeeze().shape == np.empty(shape).squeeze().shape
            assert np.isfinite(got).all(), (stage, shape)


def test_nan_stays_where_it_is(mount, folder):
    raw = sources.section(120, 150).astype("f4")
    raw[40:60, 30:90] = np.nan
    m = mount(stack(folder / "src", {"3.tif": raw}))
    for stage in ("destriped", "flattened"):
        got = tifffile.imread(m / f"img/{stage}/3.tif")
        np.testing.assert_array_equal(np.isnan(got), np.isnan(raw))
    assert tifffile.imread(m / "img/corrected/3.tif").dtype == np.uint8


# ---- programs ----

def test_imagej_opens_corrected_sections(mount, folder, imagej):
    """Import > Image Sequence on corrected/ and on a corner of it: all sections, in order, the right pixels."""
    m = mount(sources.sections(folder / "em", range(8, 13), h=200, w=260))
    views = ["corrected", "corrected@roi=20:40:64:96", "destriped"]
    for view, found in zip(views, imagej([("sequence", m / view) for view in views])):
        want = [tifffile.imread(m / view / f"sec_{z:04}.tif") for z in range(8, 13)]
        assert (found["height"], found["width"]) == want[0].shape and found["slices"] == 5, view
        assert found["bits"] == (32 if view == "destriped" else 8)
        for plane, pixel in zip(found["planes"], want):
            assert plane["mean"] == pytest.approx(pixel.astype(float).mean(), rel=1e-6)
            assert (plane["min"], plane["max"]) == (pytest.approx(pixel.min(), rel=1e-6),
                                                    pytest.approx(pixel.max(), rel=1e-6))
    part = tifffile.imread(m / "corrected@roi=20:40:64:96/sec_0010.tif")
    np.testing.assert_array_equal(part, tifffile.imread(m / "corrected/sec_0010.tif")[20:84, 40:136])


def test_real_sections(mount, shared):
    """60 FIB-SEM sections of 8 bits: corrected/ shows each, with contrast spread over the whole range."""
    m = mount(shared("em_fibsem/sections"))
    names = sorted(os.listdir(m / "corrected"))
    assert len(names) == 60
    planes = np.stack([tifffile.imread(m / "corrected" / n) for n in names])
    assert planes.shape == (60, 250, 250) and planes.dtype == np.uint8
    assert all(len(np.unique(p)) > 100 for p in planes)
