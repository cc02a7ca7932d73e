"""`workbench doctor`: what is installed, what numbers run on, and what is missing."""

from __future__ import annotations

import json
import os
import platform
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

DISTRIBUTION = "workbench-ml"
EXTENSION = "workbench-ml"

#: Distributions whose versions are told; the second group is optional.
NEEDED = ("numpy", "anywidget", "ipywidgets")
OPTIONAL = ("jupyterlab", "ipykernel", "matplotlib", "scipy", "llvmlite", "threadpoolctl", "cupy")


def doctor(as_json: bool = False) -> int:
    """Print the report; returns 0 when all that a bench needs is here, else 1."""
    report = examine()
    print(json.dumps(report, indent=2) if as_json else render(report))
    return 0 if report["ok"] else 1


def examine() -> dict[str, Any]:
    """The report as JSON values. ``problems`` says what is wrong and how to mend it."""
    packages = {name: version(name) for name in (*NEEDED, *OPTIONAL)}
    report: dict[str, Any] = {
        "workbench": version(),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "packages": packages,
        "blas": _blas(),
        "kernels": _kernels(),
        "cpus": _cpus(),
        "devices": _devices(),
        "extension": extension(),
        "bundle": _bundle(),
    }
    report["problems"] = _problems(report)
    report["ok"] = not report["problems"]
    return report


def version(distribution: str = DISTRIBUTION) -> str | None:
    """The installed version of a distribution, or None."""
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


def extension() -> dict[str, Any]:
    """The JupyterLab extension: ``state`` enabled, disabled or missing, ``version``, ``path``.

    Reads the files that JupyterLab reads; importing it to ask would take seconds.
    """
    missing = {"state": "missing", "version": None, "path": None}
    try:
        from jupyter_core.paths import jupyter_config_path, jupyter_path
    except ImportError:
        return {**missing, "reason": "Jupyter is not installed"}
    for folder in map(Path, jupyter_path("labextensions")):
        described = _json(folder / EXTENSION / "package.json")
        if described:
            break
    else:
        return {**missing, "reason": "not installed"}
    application = os.environ.get("JUPYTERLAB_DIR") or f"{sys.prefix}/share/jupyter/lab"
    places = [Path(place) / "labconfig" for place in jupyter_config_path()]
    off = any(_disabled(place) for place in [*places, Path(application) / "settings"])
    return {
        "state": "disabled" if off else "enabled",
        "version": described.get("version"),
        "path": str(folder / EXTENSION),
        "reason": "disabled in JupyterLab's settings" if off else None,
    }


def _disabled(place: Path) -> bool:
    named = _json(place / "page_config.json").get("disabledExtensions") or {}
    return bool(named.get(EXTENSION)) if isinstance(named, dict) else EXTENSION in named


def _json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _blas() -> dict[str, Any]:
    from workbench.arrays import blas_info

    return blas_info()


def _kernels() -> dict[str, Any]:
    """Whether kernels are compiled here, for which processor, and where they are kept."""
    from workbench.arrays import compiler

    if not compiler.available():
        return {"compiled": False, "processor": None, "lanes": None, "kept": None}
    from workbench.arrays.compiler import llvm

    folder = llvm.directory()
    return {
        "compiled": True,
        "processor": llvm.host().cpu,
        "lanes": llvm.host().lanes,
        "kept": None if folder is None else str(folder),
    }


def _cpus() -> dict[str, Any]:
    count = os.cpu_count()
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else count
    return {"count": count, "usable": usable, "model": _cpu_model()}


def _cpu_model() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _devices() -> dict[str, Any]:
    from workbench.arrays.backends import cuda

    reason = cuda.why_unavailable()
    return {
        "cpu": {"available": True, "reason": None},
        "cuda": {"available": reason is None, "count": cuda.device_count(), "reason": reason},
    }


def _bundle() -> dict[str, Any]:
    static = Path(__file__).parents[1] / "widgets" / "static"
    missing = [name for name in ("bench.js", "bench.css") if not (static / name).is_file()]
    return {"path": str(static), "missing": missing}


def _problems(report: dict[str, Any]) -> list[str]:
    problems = []
    python = sys.executable
    if report["workbench"] is None:
        problems.append(
            f"{DISTRIBUTION} is not installed; run: {python} -m pip install -e '.[lab]'"
        )
    missing = [
        name for name in (*NEEDED, "jupyterlab", "ipykernel") if report["packages"][name] is None
    ]
    if missing:
        problems.append(
            f"{', '.join(missing)} missing; run: {python} -m pip install '{DISTRIBUTION}[lab]'"
        )
    if report["bundle"]["missing"]:
        problems.append(
            f"the front end is not built ({', '.join(report['bundle']['missing'])} missing in "
            f"{report['bundle']['path']}); run: {python} -m pip install -e ."
        )
    if "jupyterlab" not in missing and report["extension"]["state"] == "missing":
        problems.append(
            "the JupyterLab extension is not installed (the bench works, the sidebar does not); "
            f"run: {python} -m pip install '{DISTRIBUTION}[lab]'"
        )
    if report["extension"]["state"] == "disabled":
        problems.append(
            f"the JupyterLab extension is disabled; run: jupyter labextension enable {EXTENSION}"
        )
    return problems


def _kernels_text(kernels: dict[str, Any]) -> str:
    if not kernels["compiled"]:
        return f"NumPy's; faster ones with: {sys.executable} -m pip install '{DISTRIBUTION}[fast]'"
    kept = f"kept in {kernels['kept']}" if kernels["kept"] else "kept nowhere"
    return f"compiled for {kernels['processor']}, {kernels['lanes']} floats at a time, {kept}"


def render(report: dict[str, Any]) -> str:
    """The report as text, one thing a line."""
    blas, cuda = report["blas"], report["devices"]["cuda"]
    shown = report["extension"]
    lines = [
        ("workbench", report["workbench"] or "not installed"),
        ("python", f"{report['python']} on {report['platform']}"),
        *((name, found or "not installed") for name, found in report["packages"].items()),
        ("blas", f"{blas['library']} {blas['version']}, core {blas['core']}"),
        ("kernels", _kernels_text(report["kernels"])),
        ("threads", f"{blas['threads']} for BLAS, {report['cpus']['usable']} CPUs to use"),
        ("cpu", report["cpus"]["model"]),
        ("cuda", f"{cuda['count']} device(s)" if cuda["available"] else f"no: {cuda['reason']}"),
        ("extension", shown["state"] + (f" ({shown['version']})" if shown["version"] else "")),
    ]
    width = max(len(name) for name, _ in lines)
    text = [f"{name:<{width}}  {value}" for name, value in lines]
    text.append("")
    if report["ok"]:
        text.append("Everything is here. Open the bench with: workbench")
    else:
        text += [f"! {problem}" for problem in report["problems"]]
    return "\n".join(text)
