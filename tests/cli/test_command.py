"""The command as a user runs it: another process."""

import json
import os
import subprocess
import sys

import pytest

from workbench.cli import doctor, main


def workbench(*arguments, cwd=None):
    return subprocess.run(
        [
            sys.executable,
            "-c",
            "from workbench.cli import main; raise SystemExit(main())",
            *arguments,
        ],
        capture_output=True,
        text=True,
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)},
        timeout=120,
    )


@pytest.mark.parametrize("words", [[], ["lab"], ["doctor"], ["demo"]])
def test_help(words, capsys):
    with pytest.raises(SystemExit) as left:
        main([*words, "--help"])
    assert left.value.code == 0
    text = capsys.readouterr().out
    assert text.startswith("usage: workbench")
    assert max(map(len, text.splitlines())) <= 100


def test_unknown_arguments_are_named(capsys):
    with pytest.raises(SystemExit) as left:
        main(["demo", "--stpes=5"])
    assert left.value.code == 2
    assert "--stpes=5" in capsys.readouterr().err


def test_version():
    done = workbench("--version")
    assert done.returncode == 0
    assert done.stdout.startswith("workbench ")


def test_doctor_reports_in_text_and_json():
    text = workbench("doctor")
    report = json.loads(workbench("doctor", "--json").stdout)
    assert text.returncode == (0 if report["ok"] else 1)
    assert report["ok"] == (not report["problems"])
    for word in ("numpy", "blas", "kernels", "threads", "cuda", "extension"):
        assert word in text.stdout
    assert report["devices"]["cpu"]["available"]
    cuda = report["devices"]["cuda"]
    assert cuda["available"] or cuda["reason"]


@pytest.mark.parametrize("switch", ["0", "1"])
def test_doctor_says_which_kernels_there_are(switch, monkeypatch):
    monkeypatch.setenv("WORKBENCH_FAST", switch)
    text, report = workbench("doctor").stdout, json.loads(workbench("doctor", "--json").stdout)
    kernels = report["kernels"]
    if kernels["compiled"]:
        assert switch == "1"
        assert f"compiled for {kernels['processor']}" in text
    else:
        assert "pip install 'workbench-ml[fast]'" in text


def test_it_finds_the_extension_and_sees_when_it_is_disabled(tmp_path, monkeypatch):
    for name in ("JUPYTER_PATH", "JUPYTER_CONFIG_PATH", "JUPYTERLAB_DIR"):
        monkeypatch.setenv(name, str(tmp_path))
    folder = tmp_path / "labextensions" / doctor.EXTENSION
    folder.mkdir(parents=True)
    (folder / "package.json").write_text('{"version": "9.9.9"}')
    found = doctor.extension()
    assert (found["state"], found["version"], found["path"]) == ("enabled", "9.9.9", str(folder))
    config = tmp_path / "labconfig" / "page_config.json"
    config.parent.mkdir()
    config.write_text(json.dumps({"disabledExtensions": {doctor.EXTENSION: True}}))
    assert doctor.extension()["state"] == "disabled"
    config.write_text("{broken")
    assert doctor.extension()["state"] == "enabled"


def healthy():
    return {
        "workbench": "0.1.0",
        "packages": dict.fromkeys((*doctor.NEEDED, *doctor.OPTIONAL), "1.0"),
        "bundle": {"path": "static", "missing": []},
        "extension": {"state": "enabled", "version": "0.1.0", "path": "x", "reason": None},
    }


def test_a_whole_installation_has_no_problems():
    assert doctor._problems(healthy()) == []


@pytest.mark.parametrize(
    ("change", "fix"),
    [
        ({"workbench": None}, "pip install -e"),
        ({"bundle": {"path": "static", "missing": ["bench.js"]}}, "bench.js missing in static"),
        ({"extension": {"state": "missing"}}, "the bench works, the sidebar does not"),
        ({"extension": {"state": "disabled"}}, "jupyter labextension enable"),
    ],
)
def test_each_problem_comes_with_its_fix(change, fix):
    (problem,) = doctor._problems({**healthy(), **change})
    assert fix in problem


def test_a_missing_package_is_named():
    report = healthy()
    report["packages"]["jupyterlab"] = None
    report["extension"] = {"state": "missing"}
    (problem,) = doctor._problems(report)
    assert "jupyterlab missing" in problem
    assert "'workbench-ml[lab]'" in problem


def test_demo_trains_edits_and_draws(tmp_path):
    done = workbench("demo", "--steps", "60", "--undo", "--out", "demo.png", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "net.insert(" in done.stderr
    assert "taken back" in done.stderr
    assert "test accuracy" in done.stdout
    assert (tmp_path / "demo.png").read_bytes().startswith(b"\x89PNG")
    assert [p.name for p in tmp_path.iterdir()] == ["demo.png"]


def test_demo_says_where_it_cannot_write(tmp_path):
    done = workbench("demo", "--steps", "5", "--out", str(tmp_path / "no" / "demo.png"))
    assert done.returncode == 1
    assert "there is no folder" in done.stderr
