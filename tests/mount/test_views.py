"""planefs.ini and parameters in the path: mistakes that are named, views of one's own, and where they are explained."""
import os
import subprocess

import numpy as np
import pytest
import tifffile

import harness
import sources

MISTAKES = {
    '[dataset "em"]\nshap = 1, 2, 3\n': (2, "shap"),
    '[dataset "em"]\nvoxel = 40, 4, 4\nshape = 1, 2\n': (3, "NZ, NY, NX"),
    '[dataset "em"]\n\norigin = a, 2, 3\n': (3, "z, y, x"),
    "shape = 1, 2, 3\n": (1, "outside any section"),
    '[datset "em"]\nshape = 1, 2, 3\n': (1, "dataset"),
    '[dataset "em"]\nshape 1, 2, 3\n': (2, "key = value"),
    '[dataset "em"]\ninvert = maybe\n': (2, "0 or 1"),
    '[view "corrected"]\nrecipe = invert\n': (1, "built-in"),
    '[view "slice"]\nrecipe = invert\n': (1, "slice"),
    '[view "info.json"]\nrecipe = invert\n': (1, "info.json"),
    '[view "a/b"]\nrecipe = invert\n': (1, "a/b"),
    '[view "mine"]\nscales = 2\n': (1, "recipe"),
    '[view "mine"]\nrecipe =\n': (1, "recipe"),
    '[view "mine"]\nrecipe = invert | destrip\n': (2, 'did you mean "destripe"'),
    '[view "mine"]\nrecipe = invert | destripe\nbands_ln = 3\n': (3, 'did you mean "bands_len"'),
    '[view "mine"]\nrecipe = destripe\nmethod = predct\n': (3, 'did you mean "predict"'),
    '[view "mine"]\nrecipe = destripe\n# wide\nmax_angle = 200\n': (4, "from 0 to 90 degrees"),
    '[view "mine"]\nrecipe = denoise | contrast\noffset = 2\n': (3, "denoise.offset or contrast.offset"),
    '[view "mine"]\nrecipe = destripe | contrast\nmean = 3\non = 1\ncontrast.men = 5\n': (4, '"on"'),
    '[view "mine"]\nrecipe = invert | contrast\nmean = 3\non = 1\ncontrast.men = 5\n': (5, '"mean"'),
    '[view "mine"]\nrecipe = destripe\nscales = 2\nscales = 3\n': (4, "given twice"),
    '[view "mine"]\nrecipe = destripe\nbands_len = ' + "161, " * 60 + "\n": (3, "too long"),
}


@pytest.mark.parametrize("text", MISTAKES, ids=[" ".join(t.split())[:50] for t in MISTAKES])
def test_a_mistake_stops_the_mount_with_file_and_line(folder, text):
    source, mnt = sources.sections(folder / "src/em", [1, 2]).parent, folder / "mnt"
    mnt.mkdir()
    line, words = MISTAKES[text]
    for where, options in ((source / "planefs.ini", ""), (folder / "other.ini", f",config={folder}/other.ini")):
        where.write_text(text)
        done = harness.run(harness.PLANEFS, source, mnt, "-o", f"cache={folder}/cache{options}", timeout=30)
        where.unlink()
        said = done.stderr.decode()
        assert done.returncode not in (0, None) and said.count("\n") == 1, said
        assert f"{where.name}:{line}: " in said and words in said, said
        assert not harness.is_mounted(mnt) and harness.daemon_of(mnt) is None


LONG = """; what the microscope left behind
[dataset "em*"]
shape = 100, 480, 640
origin = 0, 96, 128
voxel = 40, 4, 4
unit = nm

[view "mild"]
recipe = invert | destripe | denoise |
         contrast
destripe.scales = 3
bands_len = 161,
    %s
    201, 251
mean = 26000
"""


def test_a_long_list_on_many_lines(mount, folder):
    """Lists may go on, on indented lines, far beyond the 200 bytes that a line can have; here in the path as well."""
    source = sources.sections(folder / "src/em", [1, 2]).parent
    numbers = [161, *range(100, 113), 201, 251]
    many = ",\n".join(" " * 150 + str(n) for n in numbers[1:-2]) + ","
    (source / "planefs.ini").write_text(LONG % many.lstrip())
    m = mount(source)
    recipe = os.getxattr(m / "em/mild/sec_0001.tif", "user.planefs.recipe").decode()
    assert "bands_len=" + ":".join(map(str, numbers)) + " " in recipe and "mean=26000" in recipe
    assert [s.split("/")[0] for s in recipe.split(" | ")] == ["invert", "destripe", "denoise", "contrast"]
    assert tifffile.imread(m / "em/mild/sec_0001.tif").dtype == np.uint8


def test_views_of_ones_own(mount, folder):
    """Listed and served beside the built-in ones, in every dataset, as views, volumes and previews; each step counts."""
    source = sources.sections(folder / "src/em", [1, 2], h=60, w=90).parent
    (source / "planefs.ini").write_text(
        '[view "part"]\nrecipe = flip | crop\naxes = yx\nroi = 4, 6, 20, 30\n'
        '[view "sharp"]\nrecipe = contrast\nhp_sigma = 5000\nmean = 32000\npixel = u16\nhigh = 65535\n')
    m = mount(source)
    assert {"part", "sharp", "corrected"} <= set(os.listdir(m / "em"))
    assert sorted(os.listdir(m / "em/part")) == sorted(os.listdir(m / "em/source"))
    raw = tifffile.imread(m / "em/source/sec_0002.tif")
    np.testing.assert_array_equal(tifffile.imread(m / "em/part/sec_0002.tif"), raw[::-1, ::-1][4:24, 6:36])
    np.testing.assert_array_equal(tifffile.imread(m / "em/part@axes=x/sec_0002.tif"), raw[:, ::-1][4:24, 6:36])
    assert tifffile.imread(m / "em/sharp/sec_0001.tif").dtype == np.uint16
    np.testing.assert_array_equal(tifffile.imread(m / "em/volume/part.tif")[1], raw[::-1, ::-1][4:24, 6:36])
    text = (m / ".planefs/README.txt").read_text()
    assert "part" in text and "flip | crop" in text and "planefs.ini" in text


def test_later_sections_of_the_configuration_win(mount, folder):
    source = sources.sections(folder / "src/em", [1, 2]).parent
    (source / "planefs.ini").write_text('[dataset "*"]\ninvert = 0\nunit = nm\n[dataset "em"]\ninvert = 1\n')
    m = mount(source)
    raw = tifffile.imread(m / "em/source/sec_0001.tif")
    np.testing.assert_array_equal(tifffile.imread(m / "em/inverted/sec_0001.tif"), 65535 - raw)
    assert '"unit":"nm"' in (m / "em/info.json").read_text()


def test_invert_of_a_dataset_reaches_every_stage(mount, folder):
    source = sources.sections(folder / "src/em", [1, 2]).parent
    sources.sections(source / "tem", [1, 2])
    (source / "planefs.ini").write_text('[dataset "tem"]\ninvert = 0\n')
    m = mount(source)
    raw = tifffile.imread(m / "tem/source/sec_0001.tif")
    np.testing.assert_array_equal(tifffile.imread(m / "tem/inverted/sec_0001.tif"), raw)
    a, b = (tifffile.imread(m / f"{name}/sec_0001.tif") for name in ("tem/destriped", "em/destriped@invert.on=0"))
    np.testing.assert_array_equal(a, b)
    assert abs(a.mean() - raw.mean()) < 100
    assert abs(tifffile.imread(m / "em/destriped/sec_0001.tif").mean() - raw.mean()) > 1000


def test_a_missing_mask_or_table_concerns_who_needs_it(mount, folder):
    """Named in the configuration and not there: EIO with a sentence, and only where they take part."""
    source = sources.sections(folder / "src/em", [1, 2]).parent
    (source / "planefs.ini").write_text('[dataset "em"]\nmask = none.tif\n')
    m = mount(source, frozen=False)
    for name in ("source/sec_0001.tif", "inverted/sec_0001.tif", "preview/sec_0001.png", "stats.json"):
        assert (m / "em" / name).read_bytes() and m.error(f"em/{name}") == ""
    for name in ("destriped/sec_0001.tif", "corrected/sec_0001.tif"):
        with pytest.raises(OSError) as caught:
            (m / "em" / name).read_bytes()
        assert caught.value.errno == 5 and "none.tif" in m.error(f"em/{name}")
    m.stop()
    (source / "planefs.ini").write_text('[dataset "em"]\ninfo = none.h5\n')
    m = mount(source, frozen=False)
    assert (m / "em/destriped/sec_0001.tif").read_bytes()
    with pytest.raises(OSError) as caught:
        (m / "em/flattened/sec_0001.tif").read_bytes()
    assert caught.value.errno == 5 and "none.h5" in m.error("em/flattened/sec_0001.tif")


# ---- where it is explained ----

SUGGESTIONS = {
    "corrected@hp_sgma=1500": 'did you mean "hp_sigma"', "corected@mean=1": 'did you mean "corrected"',
    "corrected@denoise.scals=2": 'did you mean "scales"', "corrected@method=limt": 'did you mean "limit"',
    "corrected@offset=3": "denoise.offset or contrast.offset", "corrected@hp_sigma=0": "from 1e-06",
    "corrected@mean=nan": "is not a number", "corrected@scales": "key=value", "corrected@mean=1,mean=2": "twice",
    "corrected@roi=4000:4000:10:10": "48 x 64", "corrected@scale=2": "ImageJ", "denoised@wsize=6": "odd",
}


@pytest.mark.parametrize("name", SUGGESTIONS)
def test_a_mistyped_parameter_is_explained(mount, folder, name):
    m = mount(sources.sections(folder / "em", [1, 2]))
    assert not os.path.exists(m / name)
    assert SUGGESTIONS[name] in m.error(name), m.error(name)
    assert m.jobs() == 0


PARAMETERS = {
    "invert": "on", "destripe": "direction scales adjust_beta details_first details_last details_middle details_mul "
    "details_len method bands_len mask_len max_angle max_ratio thresh_mul weight",
    "background": "offsets polynomial", "denoise": "scales wsize split_hipass propagate_noise gain offset",
    "contrast": "low high pixel smoothing sigma offset ratio minmax_size clip redistribute hp_sigma mean",
    "crop": "roi", "flip": "axes",
}
DEFAULTS = ["bands_len        = 161:161:161:201:251:301 pixels", "mask_len         = 5:9:13:19:43:75 pixels",
            "max_angle        = 4.8 degrees", "clip             = -0.8:0.8", "hp_sigma         = 1250 intensity",
            "gain             = 3.418e-06:4.114e-06 1/intensity^2", "details_len      = 187 rows"]


@pytest.mark.parametrize("where", ["command", "control folder"])
def test_all_parameters_are_listed(mount, folder, where):
    """Every operator with every parameter, its default, unit and limits, and the paper; manual page and pages as well."""
    if where == "command":
        text = harness.check(harness.PLANEFS, "views").decode()
    else:
        text = (mount(sources.sections(folder / "em", [1, 2])) / ".planefs/README.txt").read_text()
    assert text.count("bioRxiv 2023.09.14.557785") == 4
    assert all(d in text for d in DEFAULTS)
    assert "corrected" in text and "= invert | destripe | background | denoise | contrast" in text
    lines = text[text.index("OPERATORS"):].splitlines()
    begins = {name: next(i for i, s in enumerate(lines) if s.startswith(f"  {name}: ")) for name in PARAMETERS}
    for name, parameters in PARAMETERS.items():
        rest = lines[begins[name] + 1:]
        body = rest[:next((i for i, s in enumerate(rest) if s[:3].strip()), len(rest))]
        found = [s.split()[0] for s in body if s[:5].startswith("    ") and s[4] != " " and " = " in s]
        assert found == parameters.split(), name


def test_the_pages_name_every_parameter():
    page = (harness.ROOT / "docs/CORRECTION.md").read_text()
    manual = (harness.ROOT / "docs/planefs.ini.5").read_text()
    for name, parameters in PARAMETERS.items():
        for p in parameters.split():
            assert f"`{p}`" in page and p in manual, f"{name}.{p}"
    for key in "shape origin invert mask info model voxel unit names stack recipe".split():
        assert f".B {key}" in manual or f".BI {key}" in manual or f"\n.BI \"{key} " in manual, key


def test_the_manual_pages_are_sound():
    for page in ("planefs.1", "planefs.ini.5"):
        if harness.run("sh", "-c", "command -v groff").returncode:
            pytest.skip("groff is not installed")
        done = subprocess.run(["groff", "-man", "-Tutf8", "-ww", harness.ROOT / "docs" / page], capture_output=True)
        assert done.returncode == 0 and not done.stderr, done.stderr
