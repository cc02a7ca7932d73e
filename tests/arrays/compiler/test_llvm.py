"""Compiling, and the cache of machine code on disk."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
import threading

import pytest

from workbench.arrays import compiler

pytest.importorskip("llvmlite")
if not compiler.available():
    pytest.skip("this processor has no vectors to compile for", allow_module_level=True)

from workbench.arrays.compiler import llvm
from workbench.arrays.compiler.ir import Function, module


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """A cache of its own, empty."""
    monkeypatch.setenv("WORKBENCH_CACHE", str(tmp_path / "cache"))
    llvm.directory.cache_clear()
    yield tmp_path / "cache" / "kernels"
    llvm.directory.cache_clear()


def adder(number: int) -> str:
    fn = Function("plus", "i64 x", "i64")
    fn.give(fn.args[0] + number)
    return module([fn])


def call(number: int) -> int:
    entry = llvm.address(adder(number), "plus")
    return ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_int64)(entry)(1)


def test_kept_and_found_again(cache, monkeypatch):
    assert call(41) == 42
    (entry,) = cache.iterdir()
    assert entry.suffix == ".o"
    if hasattr(os, "getuid"):
        assert cache.stat().st_mode & 0o077 == 0
    monkeypatch.setattr(llvm, "_compiled", None)  # not asked for again
    assert call(41) == 42


@pytest.mark.parametrize("damage", [b"", b"short", None])
def test_damaged_entries_are_made_anew(cache, damage):
    assert call(5) == 6
    (entry,) = cache.iterdir()
    whole = entry.read_bytes()
    entry.write_bytes(whole[:-7] if damage is None else damage)
    assert call(5) == 6


def test_an_entry_cut_short_never_stays(cache, monkeypatch):
    """Nothing is left where writing fails half-way."""

    def fail(self, target):
        raise OSError("no room")

    monkeypatch.setattr(llvm.Path, "replace", fail)
    assert call(7) == 8
    assert not list(cache.glob("*.o"))


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="permissions of POSIX")
def test_a_folder_others_can_write_to_is_not_used(cache):
    cache.mkdir(parents=True)
    cache.chmod(0o777)
    assert llvm.directory() is None
    assert call(9) == 10
    assert not list(cache.iterdir())


def test_no_cache(cache, monkeypatch):
    monkeypatch.setenv("WORKBENCH_CACHE", "0")
    llvm.directory.cache_clear()
    assert llvm.directory() is None
    assert call(11) == 12


def test_a_cache_that_has_grown_too_large(cache, monkeypatch):
    monkeypatch.setattr(llvm, "_MOST", 4)
    monkeypatch.setattr(llvm, "_written", 0)
    cache.mkdir(parents=True, mode=0o700)
    for i in range(9):
        (cache / f"{i}.o").write_bytes(b"old")
        os.utime(cache / f"{i}.o", (i, i))
    assert call(13) == 14
    left = {path.name for path in cache.iterdir()}
    assert len(left) == 5
    assert "8.o" in left
    assert "0.o" not in left


def test_threads_compile_at_a_time(cache):
    found = {}
    threads = [threading.Thread(target=lambda n=n: found.update({n: call(n % 3 + 100)}))
               for n in range(8)]  # fmt: skip
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {n: n % 3 + 101 for n in range(8)}


def test_switched_off_by_the_environment():
    code = "from workbench.arrays import compiler; print(compiler.available())"
    environment = os.environ | {"WORKBENCH_FAST": "0"}
    told = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert told.stdout.strip() == "False"
