# ruff: noqa: RUF001 - the signs that are shown
"""A tensor at the end of a notebook's cell: values, summary, picture."""

from __future__ import annotations

import base64
import re
import struct
import zlib
from html.parser import HTMLParser

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import workbench as wb
from workbench.tensor import display, picture

VOID = {"img", "br", "path"}


class Checked(HTMLParser):
    """Reads HTML and fails where elements are not closed in order."""

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.text = [], [], []
        self.feed(text)
        self.close()
        assert not self.open, f"left open: {self.open}"

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)

    def find(self, tag):
        return [attrs for name, attrs in self.tags if name == tag]

    @property
    def words(self):
        return " ".join(self.text)


def shown(tensor):
    made = tensor._repr_html_()
    assert isinstance(made, str)
    assert len(made.encode()) < 30_000
    return Checked(made)


def pixels(source):
    """Decodes the PNGs this package writes: (H, W, bands) and the palette."""
    data = base64.b64decode(source.removeprefix("data:image/png;base64,"))
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    at, chunks = 8, {}
    while at < len(data):
        (length,) = struct.unpack(">I", data[at : at + 4])
        name, body = data[at + 4 : at + 8], data[at + 8 : at + 8 + length]
        assert struct.unpack(">I", data[at + 8 + length : at + 12 + length])[0] == zlib.crc32(
            name + body
        )
        chunks[name] = body
        at += 12 + length
    width, height, depth, kind = struct.unpack(">IIBB", chunks[b"IHDR"][:10])
    assert depth == 8
    bands = {0: 1, 2: 3, 3: 1, 6: 4}[kind]
    rows = np.frombuffer(zlib.decompress(chunks[b"IDAT"]), np.uint8).reshape(height, -1).copy()
    marks, rows = rows[:, 0], rows[:, 1:].reshape(height, width, bands)
    if marks.any():
        rows = np.cumsum(rows, axis=1, dtype=np.uint8)
    colours = chunks.get(b"PLTE")
    return rows, None if colours is None else np.frombuffer(colours, np.uint8).reshape(-1, 3)


def test_the_bundle():
    x = wb.randn(4, 5)
    bundle = x._repr_mimebundle_()
    assert bundle["text/plain"] == repr(x)
    assert set(bundle) == {"text/plain", "text/html"}
    assert set(x._repr_mimebundle_(include={"text/plain"})) == {"text/plain"}
    assert set(x._repr_mimebundle_(exclude={"text/html"})) == {"text/plain"}


def test_what_it_says():
    x = wb.tensor([[1.0, 2.0], [3.0, -6.0]], dtype=wb.float64, requires_grad=True)
    said = shown(x).words
    for word in ("2 × 2", "float64", "cpu", "requires_grad", "min −6", "mean 0", "max 3"):
        assert word in said
    assert "tensor([[ 1.,  2.]" in said
    assert "grad_fn=MulBackward0" in shown(x * 2).words
    assert "Parameter 3" in shown(wb.nn.Parameter(wb.ones(3))).words
    said = shown(wb.tensor([1.0, float("nan"), float("inf"), -float("inf")])).words
    assert "1 nan" in said
    assert "2 inf" in said
    assert "mean 1" in said
    assert "2 of 3 true" in shown(wb.tensor([True, False, True])).words
    assert "|x| min 5" in shown(wb.tensor([3 + 4j])).words
    assert "no elements" in shown(wb.zeros(0, 3)).words


def test_matrices_are_heat_maps():
    x = wb.tensor([[0.0, 1.0, 2.0], [3.0, float("nan"), 4.0]])
    (image,) = shown(x).find("img")
    places, colours = pixels(image["src"])
    assert places[..., 0].tolist() == [[0, 64, 127], [190, 255, 254]]
    assert colours.shape == (256, 3)
    assert colours[255].tolist() == [128, 128, 128]
    assert "heat map of a tensor of shape (2, 3)" in image["alt"]
    # signs on both sides: 0 is the middle of the map
    (image,) = shown(wb.tensor([[-1.0, 0.0], [0.0, 4.0]])).find("img")
    places, colours = pixels(image["src"])
    assert places[0, 1, 0] == 127
    assert colours[127].min() > 240


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_images(channels):
    rng = np.random.default_rng(0)
    x = wb.from_numpy(rng.integers(0, 256, (channels, 6, 5), dtype=np.uint8))
    (image,) = shown(x).find("img")
    got, _ = pixels(image["src"])
    np.testing.assert_array_equal(got, x.array.transpose(1, 2, 0))
    assert image["alt"].startswith("image of a tensor")
    unit = x.float() / 255
    got, _ = pixels(shown(unit).find("img")[0]["src"])
    np.testing.assert_array_equal(got, x.array.transpose(1, 2, 0))


def test_images_of_other_ranges_are_stretched_and_say_so():
    (image,) = shown(wb.linspace(-2, 3, 25).reshape(1, 5, 5)).find("img")
    got, _ = pixels(image["src"])
    assert got.min() == 0
    assert got.max() == 255
    assert "black at −2, white at 3" in image["alt"]


def test_batches_are_grids():
    x = wb.ones(5, 1, 4, 4)
    (image,) = shown(x).find("img")
    got, _ = pixels(image["src"])
    assert got.shape[:2] == (2 * 4 + 1, 3 * 4 + 2)
    assert got[0, 4, 0] == 0  # the gap between two
    assert image["alt"].startswith("images of")
    assert "first 16 images of" in shown(wb.ones(40, 3, 4, 4)).find("img")[0]["alt"]


def test_the_rest_are_histograms():
    for x in (
        wb.randn(100),
        wb.randn(2, 5, 7),
        wb.arange(5),
        wb.randn(1, 9),
        wb.randn(3, 3, 3, 2, 2),
    ):
        found = shown(x)
        assert not found.find("img")
        (svg,) = found.find("svg")
        assert svg["role"] == "img"
        assert svg["aria-label"].startswith("histogram of a tensor of shape")
    for x in (wb.tensor(3.0), wb.zeros(0), wb.tensor([float("nan")] * 2)):
        assert not shown(x).find("svg")


def test_large_tensors_are_sampled():
    huge = wb.from_numpy(np.broadcast_to(np.float32(2), (10**6, 10**5)))
    said = shown(huge)
    assert "of a sample of" in said.words
    assert "mean 2" in said.words
    noisy = wb.rand(16, 3, 200, 200)
    assert "of a sample of" in shown(noisy).words


@pytest.mark.parametrize("shape", [(128, 128), (3, 160, 160), (4, 300, 300), (16, 4, 40, 40)])
def test_noise_keeps_to_the_size(shape):
    shown(wb.randn(*shape))
    shown(wb.rand(*shape))


def test_sampling_keeps_shape_and_limit():
    for shape in ((10,), (7, 9), (1000, 1000), (3, 5, 70000), (10**7,)):
        part = display.thinned(np.broadcast_to(np.int8(0), shape), 5000)
        assert part.size <= 5000
        assert part.ndim == len(shape)


def test_text_is_escaped():
    class Odd(wb.Tensor):
        __slots__ = ()

    Odd.__name__ = "<script>alert(1)</script>"
    x = wb.ones(2)
    x.__class__ = Odd
    made = x._repr_html_()
    assert "<script" not in made
    assert "&lt;script&gt;" in made


def test_colours_come_from_the_page():
    """No text or background colour of its own: it reads in light and in dark."""
    made = wb.randn(50)._repr_html_()
    assert not re.search(r"(?<![-\w])(color|background)\s*:\s*(?!inherit|transparent)", made)
    assert "currentColor" in made


def test_trouble_falls_back_to_the_text(monkeypatch):
    def fail(*args):
        raise RuntimeError("no picture today")

    monkeypatch.setattr(picture, "histogram", fail)
    x = wb.ones(3)
    assert x._repr_html_() is None
    assert x._repr_mimebundle_() == {"text/plain": repr(x)}


def test_long_texts_are_cut():
    wb.set_printoptions(profile="full")
    try:
        shown(wb.randn(5000))
    finally:
        wb.set_printoptions(profile="default")


KINDS = [np.bool_, np.uint8, np.int64, np.float16, np.float32, np.float64, np.complex64]
SHAPES = hnp.array_shapes(min_dims=0, max_dims=5, min_side=0, max_side=5)


@given(hnp.arrays(st.sampled_from(KINDS), SHAPES))
def test_every_tensor_has_a_picture_or_a_text(array):
    shown(wb.from_numpy(array.copy()))


def test_extreme_values():
    for values in ([1e308, -1e308], [281474976710656.0] * 2, [5e-324, 0.0], [1e308] * 3):
        shown(wb.tensor(values, dtype=wb.float64))
        shown(wb.tensor([values, values], dtype=wb.float64))


def test_formatting():
    assert f"{wb.tensor(1.23456):.2f}" == "1.23"
    assert f"{wb.tensor(7):03d}" == "007"
    assert f"{wb.tensor(3)}" == "3"
    assert f"{wb.tensor(1.5, requires_grad=True)}" == "1.5"
    assert f"{wb.ones(2)}" == "tensor([1., 1.])"
    with pytest.raises(TypeError):
        f"{wb.ones(2):.2f}"
