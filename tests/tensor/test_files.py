"""wb.save and wb.load: what goes in comes out, damage is an error, a killed write does nothing."""

from __future__ import annotations

import io
import json
import os
import zipfile
from collections import OrderedDict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

import workbench as wb
from workbench.arrays.dtypes import ALL, bfloat16
from workbench.serialization import FileError, load_safetensors, save_safetensors
from workbench.tensor.files import container

KINDS = [d for d in ALL if d is not bfloat16]


def through(value, **options):
    file = io.BytesIO()
    wb.save(value, file)
    file.seek(0)
    return wb.load(file, **options)


def same(a, b):
    assert type(a) is type(b)
    if isinstance(a, wb.Tensor):
        assert a.dtype is b.dtype
        assert a.shape == b.shape
        assert a.requires_grad == b.requires_grad
        assert a.detach().array.tobytes() == b.detach().array.tobytes()
    elif isinstance(a, np.ndarray):
        assert a.dtype == b.dtype
        assert a.tobytes() == b.tobytes()
    elif isinstance(a, dict):
        assert list(a) == list(b)
        for key in a:
            same(a[key], b[key])
    elif isinstance(a, (list, tuple)):
        assert len(a) == len(b)
        for x, y in zip(a, b, strict=True):
            same(x, y)
    else:
        assert a == b or a != a


tensors = st.one_of(
    *(
        arrays(d.numpy, array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4)).map(
            wb.from_numpy
        )
        for d in KINDS
    )
)
plain = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8),
    st.binary(max_size=8), st.complex_numbers(), st.sampled_from(ALL), tensors,
    st.just(wb.device("cpu")), st.lists(st.integers(0, 5), max_size=3).map(wb.Size),
    st.frozensets(st.integers(), max_size=3),
)  # fmt: skip
keys = st.one_of(
    st.text(max_size=5), st.integers(), st.booleans(), st.none(),
    st.tuples(st.integers(), st.text(max_size=2)),
)  # fmt: skip
values = st.recursive(
    plain,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.lists(inner, max_size=4).map(tuple),
        st.dictionaries(keys, inner, max_size=4),
        st.lists(st.tuples(keys, inner), max_size=3).map(OrderedDict),
    ),
    max_leaves=12,
)


@given(values)
@settings(max_examples=150)
def test_what_goes_in_comes_out(value):
    same(value, through(value))


def test_bfloat16_and_layouts():
    x = wb.arange(12.0).reshape(3, 4)
    for t in (x.to(wb.bfloat16), x.t(), x[:, ::2], x[1], x.expand(2, 3, 4), x[:0]):
        got = through(t)
        same(t, got)
        assert got.stride() == t.stride() or not t.numel()


def test_memory_that_is_shared_stays_shared():
    x = wb.arange(6.0)
    a, b, c, again = through([x, x[2:], x.view(2, 3).t(), x])
    b.zero_()
    assert a.tolist() == [0, 1, 0, 0, 0, 0]
    assert c.tolist() == [[0, 0], [1, 0], [0, 0]]
    assert again is a


def test_storages_are_written_once(tmp_path):
    x = wb.zeros(1000)
    wb.save([x, x[1:], x.view(10, 100)], tmp_path / "x")
    assert (tmp_path / "x").stat().st_size < 8000


def test_parameters_and_gradients():
    p = wb.nn.Parameter(wb.ones(2))
    frozen = wb.nn.Parameter(wb.ones(2), requires_grad=False)
    got, other, leaf = through([p, frozen, wb.ones(1, requires_grad=True)])
    assert type(got) is wb.nn.Parameter
    assert got.requires_grad
    assert type(other) is wb.nn.Parameter
    assert not other.requires_grad
    assert leaf.requires_grad
    assert leaf.is_leaf


def test_state_of_modules_and_optimizers(tmp_path):
    net = wb.nn.Sequential(wb.nn.Linear(3, 4), wb.nn.BatchNorm1d(4))
    optimizer = wb.optim.Adam(net.parameters())
    net(wb.randn(5, 3)).sum().backward()
    optimizer.step()
    wb.save({"net": net.state_dict(), "opt": optimizer.state_dict()}, tmp_path / "run.pt")
    found = wb.load(tmp_path / "run.pt", weights_only=True, map_location="cpu")
    fresh = wb.nn.Sequential(wb.nn.Linear(3, 4), wb.nn.BatchNorm1d(4))
    fresh.load_state_dict(found["net"])
    again = wb.optim.Adam(fresh.parameters())
    again.load_state_dict(found["opt"])
    for a, b in zip(net.parameters(), fresh.parameters(), strict=True):
        assert (a == b).all()
    same(optimizer.state_dict()["state"][0]["exp_avg"], again.state_dict()["state"][0]["exp_avg"])


def test_map_location():
    x = wb.ones(2)
    for where in (
        "cpu",
        wb.device("cpu"),
        {"cuda:0": "cpu"},
        lambda s, place: s,
        lambda s, p: None,
    ):
        assert through(x, map_location=where).tolist() == [1, 1]
    with pytest.raises(RuntimeError):
        through(x, map_location="nowhere")


def test_a_tensor_from_a_gpu_says_how_to_load_it_without_one():
    head = {"format": "workbench", "version": 1, "root": {"tensor": {
        "storage": 0, "dtype": "float32", "offset": 0, "sizes": [1], "steps": [1],
        "device": "cuda:0"}}}  # fmt: skip
    file = hand_made(head, b"\0\0\x80?")
    with pytest.raises(RuntimeError, match="map_location='cpu'"):
        wb.load(file)
    file.seek(0)
    assert wb.load(file, map_location="cpu").item() == 1


def test_mapped_into_memory(tmp_path):
    x = wb.arange(1000.0)
    wb.save({"a": x, "b": x[3:]}, tmp_path / "x")
    found = wb.load(tmp_path / "x", mmap=True)
    assert (found["a"] == x).all()
    assert found["a"].data_ptr() % 64 == 0
    found["a"][0] = 7  # stays in memory
    assert wb.load(tmp_path / "x")["a"][0] == 0
    with pytest.raises(ValueError, match="mmap"):
        wb.load(io.BytesIO(b"x"), mmap=True)


def test_the_same_values_give_the_same_bytes():
    files = [io.BytesIO(), io.BytesIO()]
    for file in files:
        wb.save({"a": wb.ones(3), "b": (1, "x")}, file)
    assert files[0].getvalue() == files[1].getvalue()


class Thing:
    pass


@pytest.mark.parametrize(
    ("value", "hint"),
    [
        (wb.nn.Linear(1, 1), "state_dict"),
        (Thing(), "Thing"),
        (print, "never code"),
        ([1, {"a": len}], "never code"),
        (np.float32(1), "item"),
        (np.array(["a"]), "can't convert"),
    ],
)
def test_what_is_no_data_is_refused(value, hint, tmp_path):
    path = tmp_path / "x"
    path.write_bytes(b"before")
    with pytest.raises(TypeError, match=hint):
        wb.save(value, path)
    assert path.read_bytes() == b"before"
    assert [p.name for p in tmp_path.iterdir()] == ["x"]


def test_a_container_within_itself_is_refused():
    loop: list = []
    loop.append(loop)
    with pytest.raises(ValueError, match="within"):
        wb.save(loop, io.BytesIO())


def test_pickle_is_never_used():
    import pickle

    with pytest.raises(ValueError, match="never pickles"):
        wb.save(1, io.BytesIO(), pickle_module=pickle)
    with pytest.raises(ValueError, match="never unpickles"):
        wb.load(io.BytesIO(), pickle_module=pickle)
    with pytest.raises(TypeError, match="path or a binary file"):
        wb.save(1, 3)
    with pytest.raises(TypeError, match="path or a binary file"):
        wb.load(3)
    with pytest.raises(TypeError, match="binary mode"):
        wb.load(io.StringIO("text"))
    with pytest.raises(FileNotFoundError):
        wb.load("/nonexistent/file")


def test_a_killed_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "model"
    wb.save(wb.ones(3), path)

    def killed(*args):
        raise KeyboardInterrupt

    for name in ("_member",):
        with monkeypatch.context() as patch:
            patch.setattr(container, name, killed)
            with pytest.raises(KeyboardInterrupt):
                wb.save(wb.zeros(3), path)
    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", killed)
        with pytest.raises(KeyboardInterrupt):
            wb.save(wb.zeros(3), path)
    assert wb.load(path).tolist() == [1, 1, 1]
    assert [p.name for p in tmp_path.iterdir()] == ["model"]


def test_rights_of_the_file_stay(tmp_path):
    path = tmp_path / "model"
    wb.save(1, path)
    path.chmod(0o600)
    wb.save(2, path)
    assert path.stat().st_mode & 0o777 == 0o600


# -- damage ------------------------------------------------------------------------------------


def hand_made(head, *storages):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("workbench.json", head if isinstance(head, str) else json.dumps(head))
        for i, data in enumerate(storages):
            archive.writestr(f"storage/{i}", data)
    file.seek(0)
    return file


def whole():
    file = io.BytesIO()
    wb.save({"a": wb.arange(20.0), "b": [wb.ones(2, dtype=wb.int64), "text", 3.5]}, file)
    return file.getvalue()


def test_every_truncation_is_an_error():
    data = whole()
    for n in range(0, len(data), 7):
        with pytest.raises(FileError):
            wb.load(io.BytesIO(data[:n]))


@given(st.integers(0, 10_000), st.integers(1, 255))
@settings(max_examples=200)
def test_a_changed_byte_is_an_error_or_changes_nothing(place, change):
    data = bytearray(whole())
    data[place % len(data)] ^= change
    try:
        found = wb.load(io.BytesIO(bytes(data)))
    except FileError:
        return
    # what no checksum covers: names, dates and padding in the archive's own tables
    assert found["a"].tolist() == list(range(20))
    assert found["b"][1:] == ["text", 3.5]


def place(**changes):
    entry = {"storage": 0, "dtype": "float32", "offset": 0, "sizes": [2], "steps": [1]}
    return {"format": "workbench", "version": 1, "root": {"tensor": entry | changes}}


BAD = {
    "no json": "{",
    "another format": {"format": "other", "version": 1, "root": None},
    "a newer version": {"format": "workbench", "version": 2, "root": None},
    "a list": [1],
    "an unknown kind": {"format": "workbench", "version": 1, "root": {"code": "import os"}},
    "deep": '{"format":"workbench","version":1,"root":' + "[" * 100_000 + "]" * 100_000 + "}",
    "too long": place(sizes=[3]),
    "far steps": place(steps=[9]),
    "before the start": place(steps=[-1]),
    "negative offset": place(offset=-1),
    "negative size": place(sizes=[-2]),
    "huge": place(sizes=[1 << 62, 1 << 62], steps=[1, 1]),
    "sizes and steps": place(steps=[1, 1]),
    "float size": place(sizes=[2.0]),
    "bool size": place(sizes=[True]),
    "unknown dtype": place(dtype="float8"),
    "object dtype": place(dtype="object"),
    "missing storage": place(storage=4),
    "named storage": place(storage="../../etc/passwd"),
    "grad of ints": place(dtype="int32", requires_grad=True),
    "many dims": place(sizes=[1] * 70, steps=[1] * 70),
    "a reference to nothing": {"format": "workbench", "version": 1, "root": {"same": 0}},
    "a negative reference": {"format": "workbench", "version": 1, "root": {"same": -1}},
    "an unhashable key": {"format": "workbench", "version": 1, "root": {"dict": [[[1], 2]]}},
    "bytes": {"format": "workbench", "version": 1, "root": {"bytes": "%%"}},
    "device": {"format": "workbench", "version": 1, "root": {"device": "tpu"}},
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_files_made_by_hand_are_refused(name):
    with pytest.raises(FileError):
        wb.load(hand_made(BAD[name], b"\0" * 8))


def test_a_view_may_be_larger_than_its_memory():
    assert wb.load(hand_made(place(sizes=[1000, 2], steps=[0, 1]), b"\0" * 8)).shape == (1000, 2)


def test_compressed_members_are_refused():
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("workbench.json", json.dumps(place()))
        archive.writestr("storage/0", b"\0" * 10_000_000)
    file.seek(0)
    with pytest.raises(FileError, match="compressed"):
        wb.load(file)


@pytest.mark.parametrize("data", [b"", b"hello", b"PK\x03\x04", b"\x80\x04.", b"\x93NUMPY"])
def test_other_files_are_refused(data):
    with pytest.raises(FileError):
        wb.load(io.BytesIO(data))


# -- safetensors ---------------------------------------------------------------------------------


@given(
    st.dictionaries(st.text(max_size=5).filter(lambda k: k != "__metadata__"), tensors, max_size=4)
)
def test_safetensors_round_trip(tmp_path_factory, found):
    found = {k: v for k, v in found.items() if v.dtype is not wb.complex128}
    path = tmp_path_factory.mktemp("safe") / "x.safetensors"
    wb.save(found, path)
    back = wb.load(path)
    assert set(back) == set(found)
    for key, value in found.items():
        same(value, back[key])


def test_safetensors_as_the_format_says(tmp_path):
    path = tmp_path / "x.safetensors"
    save_safetensors({"w": wb.ones(2, dtype=wb.bfloat16)}, path, {"made": "here"})
    data = path.read_bytes()
    n = int.from_bytes(data[:8], "little")
    assert json.loads(data[8 : 8 + n]) == {
        "__metadata__": {"made": "here"},
        "w": {"dtype": "BF16", "shape": [2], "data_offsets": [0, 4]},
    }
    assert data[8 + n :] == b"\x80?\x80?"
    assert load_safetensors(path)["w"].tolist() == [1, 1]
    with pytest.raises(TypeError, match="flat dict"):
        save_safetensors([wb.ones(1)], path)
    with pytest.raises(TypeError, match="complex128"):
        save_safetensors({"z": wb.ones(1, dtype=wb.complex128)}, path)


SAFE = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}


@pytest.mark.parametrize(
    "head",
    [
        {"a": SAFE | {"shape": [3]}},
        {"a": SAFE | {"data_offsets": [0, 80]}},
        {"a": SAFE | {"data_offsets": [4, 8], "shape": [1]}},
        {"a": SAFE | {"data_offsets": [8, 0]}},
        {"a": SAFE | {"dtype": "F8"}},
        {"a": SAFE | {"shape": [-2]}},
        {"a": {}},
        {"a": 3},
        {"a": SAFE, "b": SAFE},
    ],
)
def test_damaged_safetensors_are_refused(head):
    text = json.dumps(head).encode()
    with pytest.raises(FileError):
        wb.load(io.BytesIO(len(text).to_bytes(8, "little") + text + b"\0" * 8))
