"""From a module's text to machine code: the only file that knows llvmlite.

What is compiled is kept in the user's cache directory under a name made of the text, the processor
and LLVM's version, so a second process loads it in a fraction of a millisecond. The cache holds
machine code: it is written for this user alone, in one step, and only looked at where it belongs to
this user; WORKBENCH_CACHE names another place, or none ("0").
"""

from __future__ import annotations

import hashlib
import os
import sys
import tempfile
import threading
from functools import cache
from pathlib import Path
from typing import Any

_MOST = 4096  # entries of the cache on disk, of some kilobytes each
_lock = threading.RLock()
if hasattr(os, "register_at_fork"):  # a fork waits for what is being compiled: LLVM has locks too
    os.register_at_fork(
        before=_lock.acquire, after_in_parent=_lock.release, after_in_child=_lock.release
    )


class Host:
    """The processor compiled for: `lanes` of float32 in a vector, `registers` of vectors."""

    def __init__(self) -> None:
        import llvmlite
        from llvmlite import binding

        self.binding = binding
        binding.initialize_native_target()
        binding.initialize_native_asmprinter()
        self.cpu = binding.get_host_cpu_name()
        features = binding.get_host_cpu_features()
        # LLVM would rather use half the width on processors that slow down at the full one
        self.features = features.flatten() + (",-prefer-256-bit" if features.get("avx512f") else "")
        if features.get("avx512f") and features.get("avx512vl"):
            self.lanes, self.registers = 16, 32
        elif features.get("avx2") and features.get("fma"):
            self.lanes, self.registers = 8, 16
        elif binding.get_default_triple().startswith(("aarch64", "arm64")):
            self.lanes, self.registers = 4, 32
        else:
            self.lanes = self.registers = 0  # without fused multiply-add kernels are no gain
        self.machine = binding.Target.from_default_triple().create_target_machine(
            cpu=self.cpu, features=self.features, opt=3, jit=True
        )
        self.triple = self.machine.triple
        self.version = f"{llvmlite.__version__} {self.cpu} {self.features}"


@cache
def host() -> Host:
    """The processor this process runs on."""
    return Host()


def address(text: str, name: str) -> int:
    """Compile a module and say where its function `name` begins."""
    with _lock:
        here = host()
        text = f'target triple = "{here.triple}"\n{text}'
        kept = _Kept(hashlib.sha256(f"{here.version}\n{text}".encode()).hexdigest()[:40])
        code = kept.read()
        engine = _loaded(here, code) if code is not None else _compiled(here, text, kept)
        entry = int(engine.get_function_address(name))
        engine.detach()  # code stays while the process does, and past the interpreter's end
        return entry


def _loaded(here: Host, code: bytes) -> Any:
    """An engine with machine code made before."""
    binding = here.binding
    engine = binding.create_mcjit_compiler(binding.parse_assembly(""), here.machine)
    engine.add_object_file(binding.ObjectFileRef.from_data(code))
    engine.finalize_object()
    return engine


def _compiled(here: Host, text: str, kept: _Kept) -> Any:
    """An engine with the module's code, which is kept."""
    binding = here.binding
    module = binding.parse_assembly(text)
    module.verify()
    # loops are written as they shall be: more optimisation takes twice as long and gains nothing
    options = binding.create_pipeline_tuning_options(speed_level=1)
    options.loop_vectorization = options.slp_vectorization = options.loop_unrolling = False
    builder = binding.create_pass_builder(here.machine, options)
    builder.getModulePassManager().run(module, builder)
    engine = binding.create_mcjit_compiler(module, here.machine)
    engine.set_object_cache(lambda _, code: kept.write(code), lambda _: None)
    engine.finalize_object()
    return engine


class _Kept:
    """One entry of the cache on disk."""

    def __init__(self, key: str) -> None:
        folder = directory()
        self.path = None if folder is None else folder / f"{key}.o"

    def read(self) -> bytes | None:
        """The machine code, if it is there."""
        if self.path is None:
            return None
        try:
            data = self.path.read_bytes()
        except OSError:
            return None
        digest, code = data[:32], data[32:]
        return code if hashlib.sha256(code).digest() == digest else None  # cut short: as if absent

    def write(self, code: bytes) -> None:
        """Keep it, if there is room."""
        if self.path is None or self.path.exists():
            return
        try:
            handle, name = tempfile.mkstemp(dir=self.path.parent)
            with os.fdopen(handle, "wb") as file:
                file.write(hashlib.sha256(code).digest() + code)
            Path(name).replace(self.path)
            _tidy(self.path.parent)
        except OSError:
            pass


_written = 0


def _tidy(folder: Path) -> None:
    """Now and then, let go of the older half of a cache that has grown too large."""
    global _written
    _written += 1
    if _written % 64 != 1:
        return
    entries = [(entry.stat().st_mtime, entry.path) for entry in os.scandir(folder)]
    if len(entries) > _MOST:
        for _, path in sorted(entries)[: len(entries) // 2]:
            Path(path).unlink(missing_ok=True)


@cache
def directory() -> Path | None:
    """Where machine code is kept; None where it cannot be kept safely."""
    named = os.environ.get("WORKBENCH_CACHE")
    if named == "0":
        return None
    if named:
        base = Path(named)
    elif sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData/Local") / "workbench"
    elif sys.platform == "darwin":
        base = Path.home() / "Library/Caches/workbench"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "workbench"
    folder = base / "kernels"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if hasattr(os, "getuid"):
            about = folder.stat()
            if about.st_uid != os.getuid() or about.st_mode & 0o022:
                return None  # somebody else could put code there
    except (OSError, RuntimeError):
        return None
    return folder
