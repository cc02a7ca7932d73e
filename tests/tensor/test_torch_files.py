"""Files that PyTorch wrote: read whole, and never run."""

from __future__ import annotations

import io
import pickle
import struct
import warnings
import zipfile
from collections import Counter, OrderedDict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import workbench as wb
from workbench.serialization import FileError, UnsafeFileError

torch = pytest.importorskip("torch")

DTYPES = [
    "bool", "uint8", "int8", "int16", "int32", "int64", "uint16", "uint32", "uint64", "float16",
    "bfloat16", "float32", "float64", "complex64", "complex128",
]  # fmt: skip
FORMATS = pytest.mark.parametrize("legacy", [False, True], ids=["zip", "legacy"])


def written(value, legacy=False, **options):
    file = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's own about typed storages
        torch.save(value, file, _use_new_zipfile_serialization=not legacy, **options)
    file.seek(0)
    return file


def check(ours, theirs):
    assert ours.dtype.name == str(theirs.dtype).removeprefix("torch.")
    assert tuple(ours.shape) == tuple(theirs.shape)
    assert ours.stride() == theirs.stride() or not ours.numel()
    assert ours.requires_grad == theirs.requires_grad
    if theirs.dtype is torch.bfloat16:
        ours, theirs = ours.float(), theirs.float()
    np.testing.assert_array_equal(ours.detach().numpy(), theirs.detach().numpy())


@FORMATS
@pytest.mark.parametrize("name", DTYPES)
def test_every_dtype(name, legacy):
    dtype = getattr(torch, name)
    x = torch.arange(12).reshape(3, 4).to(dtype)
    for t in (x, x.t(), x[1:, ::2], x[0, 0], x[:0]):
        check(wb.load(written(t, legacy)), t)


@FORMATS
def test_containers_and_numbers(legacy):
    value = {
        "a": [1, -5, 2**40, 2**80, 2.5, float("inf"), None, True, "text", "ü\n", b"\x00by", 3 + 2j],
        ("k", 1): (torch.Size([2, 3]), torch.float32, torch.device("cpu"), {1, 2}, frozenset([3])),
        "o": OrderedDict([("z", 1), ("a", 2)]),
        "c": Counter("aab"),
        "nested": [[[]], {}, ()],
        "array": bytearray(b"xyz"),
    }
    found = wb.load(written(value, legacy))
    assert found["a"] == value["a"]
    assert found[("k", 1)] == (
        wb.Size([2, 3]),
        wb.float32,
        wb.device("cpu"),
        {1, 2},
        frozenset([3]),
    )
    assert type(found["o"]) is OrderedDict
    assert list(found["o"]) == ["z", "a"]
    assert found["c"] == value["c"]
    assert found["nested"] == value["nested"]
    assert found["array"] == b"xyz"


@FORMATS
@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_protocols(protocol, legacy):
    value = {"w": torch.ones(2), "long text": "x" * 300, "set": {1}, "bytes": b"b" * 300}
    found = wb.load(written(value, legacy, pickle_protocol=protocol))
    assert found["w"].tolist() == [1, 1]
    assert found["long text"] == "x" * 300
    assert found["bytes"] == b"b" * 300


@FORMATS
def test_state_dicts_go_into_our_modules_and_optimizers(legacy):
    theirs = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4))
    optimizer = torch.optim.Adam(theirs.parameters())
    theirs(torch.randn(5, 3)).sum().backward()
    optimizer.step()
    file = written({"net": theirs.state_dict(), "opt": optimizer.state_dict()}, legacy)
    found = wb.load(file, map_location="cpu", weights_only=True)
    ours = wb.nn.Sequential(wb.nn.Linear(3, 4), wb.nn.BatchNorm1d(4))
    ours.load_state_dict(found["net"])
    for a, b in zip(ours.state_dict().values(), theirs.state_dict().values(), strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy())
    wb.optim.Adam(ours.parameters()).load_state_dict(found["opt"])
    assert found["net"]._metadata["1"] == {"version": 2}


@FORMATS
def test_parameters_views_and_shared_memory(legacy):
    x = torch.arange(6.0)
    p = torch.nn.Parameter(torch.ones(2))
    found = wb.load(written([x, x[2:], x, p, torch.nn.Parameter(p.data, False)], legacy))
    found[1].zero_()
    assert found[0].tolist() == [0, 1, 0, 0, 0, 0]
    assert found[2] is found[0]
    assert type(found[3]) is wb.nn.Parameter
    assert found[3].requires_grad
    assert not found[4].requires_grad


def test_from_a_path_and_mapped(tmp_path):
    path = tmp_path / "model.pt"
    torch.save({"w": torch.arange(100.0)}, path)
    for mmap in (False, True):
        assert wb.load(path, mmap=mmap)["w"].sum() == 4950


# -- what is refused -------------------------------------------------------------------------------


class Call:
    """Pickles as a call of anything."""

    def __init__(self, function, *args):
        self.reduced = (function, args)

    def __reduce__(self):
        return self.reduced


HOSTILE = {
    "posix.system": lambda: Call(__import__("os").system, "false"),
    "builtins.eval": lambda: Call(eval, "1"),
    "builtins.exec": lambda: Call(exec, "1"),
    "builtins.getattr": lambda: Call(getattr, "x", "upper"),
    "io.open": lambda: Call(open, "x"),
    "Popen": lambda: Call(__import__("subprocess").Popen, ["false"]),
    "importlib.import_module": lambda: Call(__import__("importlib").import_module, "os"),
    "torch.hub.load": lambda: Call(torch.hub.load, "x", "y"),
    "torch.nn.modules.linear.Linear": lambda: torch.nn.Linear(1, 1),
    "numpy.dtype": lambda: np.dtype("float32"),
    "functools.partial": lambda: __import__("functools").partial(print),
    "builtins.print": lambda: {"w": print},
    "torch.FloatStorage": lambda: [torch.FloatStorage],
}  # fmt: skip


@FORMATS
@pytest.mark.parametrize("name", HOSTILE)
def test_nothing_named_in_a_file_is_imported_or_called(name, legacy):
    with pytest.raises(FileError, match=name.replace(".", r"\.")) as caught:
        wb.load(written({"w": torch.ones(2), "x": HOSTILE[name]()}, legacy), weights_only=False)
    assert isinstance(caught.value, UnsafeFileError)


def stream(*parts):
    """A pickle put together by hand, in a zip as torch's."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("x/data.pkl", b"\x80\x02" + b"".join(parts) + b".")
        archive.writestr("x/data/0", struct.pack("<4f", 1, 2, 3, 4))
    file.seek(0)
    return file


def text(value):
    return b"X" + struct.pack("<i", len(value)) + value.encode()


def name(module, attribute):
    return b"c" + module.encode() + b"\n" + attribute.encode() + b"\n"


STORAGE = (
    b"(" + text("storage") + name("torch", "FloatStorage") + text("0") + text("cpu") + b"K\x04tQ"
)


def tensor(offset=b"K\x00", sizes=b"K\x02\x85", steps=b"K\x01\x85", storage=STORAGE):
    rebuild = name("torch._utils", "_rebuild_tensor_v2")
    return rebuild + b"(" + storage + offset + sizes + steps + b"\x89N" + b"tR"


def test_a_stream_made_by_hand():
    assert wb.load(stream(tensor())).tolist() == [1, 2]
    assert wb.load(stream(tensor(b"K\x01", b"K\x03\x85"))).tolist() == [2, 3, 4]


@pytest.mark.parametrize(
    "parts",
    [
        [tensor(sizes=b"K\x05\x85")],
        [tensor(offset=b"K\x03")],
        [tensor(offset=b"J\xff\xff\xff\xff")],
        [tensor(steps=b"K\x09\x85")],
        [tensor(sizes=b"J\xfe\xff\xff\xff\x85")],
        [tensor(sizes=b"\x8a\x09\x00\x00\x00\x00\x00\x00\x00\x00\x01\x85")],
        [tensor(sizes=text("2") + b"\x85")],
        [tensor(storage=b"N")],
        [tensor(storage=text("storage") + b"Q")],
        [tensor(storage=STORAGE.replace(b"K\x04", b"K\x09"))],
        [tensor(storage=STORAGE.replace(text("0"), text("../0")))],
        [tensor(storage=STORAGE.replace(text("cpu"), text("cuda:0")))],
        [STORAGE],
        [name("torch", "Tensor")],
        [name("torch", "Size") + b"N\x85R"],
        [name("torch", "nowhere")],
        [name("torch.storage", "_load_from_bytes") + b"C\x01x\x85R"],
        [b"N" + b"N\x85R"],
        [b"K\x01" + b"\x85R"],
        [b"N)R"],
        [name("builtins", "bytearray") + b"J\xff\xff\xff\x7f\x85R"],
        [name("builtins", "set") + b"K\x01\x85R"],
        [name("_codecs", "encode") + text("x") + text("rot13") + b"\x86R"],
        [name("collections", "OrderedDict") + b")R" + b"}" + text("__class__") + b"K\x01sb"],
        [b"}" + b"}" + text("x") + b"K\x01sb"],
        [b"0"],
        [b"K\x01K\x02"],
        [b"(K\x01"],
        [b"t"],
        [b"h\x07"],
        [b"}]K\x01s"],
        [b"i" + b"os\nsystem\n"],
        [b"(" + b"oos\n"],
        [b"P1\n"],
        [b"\x82\x01"],
        [b"I1\n"],
        [b"\x8b\xff\xff\xff\x7f"],
        [b"X\xff\xff\xff\x7f"],
        [b"\x95\xff\xff\xff\xff\xff\xff\xff\x7f"],
        [b"X\x01\x00\x00\x00\xff"],
        [b"\x80\x09N"],
        [b"c" + b"x" * 5000],
        [b"\x97"],
    ],
)
def test_streams_that_are_damaged_or_hostile_are_refused(parts):
    with pytest.raises(FileError):
        wb.load(stream(*parts))


def test_recursion_is_no_danger():
    assert wb.load(stream(b"]q\x00h\x00a"))[0] is not None
    deep = wb.load(stream(b"]" * 50_000 + b"a" * 49_999))
    while deep:  # taken apart by hand: Python itself would recurse
        deep = deep[0]


def test_zips_that_are_none_of_torchs():
    for members in (["other"], ["a/data.pkl", "b/data.pkl"], ["a/data.pkl", "a/constants.pkl"]):
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w") as archive:
            for member in members:
                archive.writestr(member, pickle.dumps(1))
        file.seek(0)
        with pytest.raises(FileError):
            wb.load(file)


@FORMATS
def test_every_truncation_is_an_error(legacy):
    data = written({"w": torch.arange(20.0), "n": [1, "text"]}, legacy).getvalue()
    for n in range(0, len(data), 11):
        with pytest.raises(FileError):
            wb.load(io.BytesIO(data[:n]))


@given(st.integers(0, 100_000), st.integers(1, 255), st.booleans())
@settings(max_examples=300)
def test_a_changed_byte_never_does_harm(place, change, legacy):
    data = bytearray(written({"w": torch.arange(20.0), "n": [1, "text"]}, legacy).getvalue())
    data[place % len(data)] ^= change
    try:
        wb.load(io.BytesIO(bytes(data)))
    except FileError:
        pass


def test_sparse_and_quantized_tensors_say_what_to_save():
    with pytest.raises(FileError, match="to_dense"):
        wb.load(written(torch.eye(2).to_sparse()))
