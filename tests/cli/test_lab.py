import json
from pathlib import Path

import pytest

from workbench.cli import lab, main

pytestmark = pytest.mark.usefixtures("shipped")


@pytest.fixture
def shipped(monkeypatch):
    """A start notebook of the tests' own: these tests are about copying."""
    book = {
        "cells": [{"cell_type": "markdown", "source": ["# Hello\n", "you"], "metadata": {}}],
        "metadata": {},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    shipped = json.dumps(book).encode()
    monkeypatch.setattr(lab, "start_notebook", lambda: shipped)
    return book


def test_the_first_copy(tmp_path, shipped):
    path = lab.copy_start(tmp_path)
    assert path.name == "00_start.ipynb"
    assert json.loads(path.read_bytes()) == shipped
    assert [p.name for p in tmp_path.iterdir()] == ["00_start.ipynb"], "no temporary file is left"


def test_an_unchanged_copy_is_used_again_whatever_its_outputs(tmp_path, shipped):
    path = lab.copy_start(tmp_path)
    shipped["cells"][0]["source"] = "# Hello\nyou"
    shipped["metadata"]["kernelspec"] = {"name": "python3"}
    saved = json.dumps(shipped, indent=1)
    path.write_text(saved)
    assert lab.copy_start(tmp_path) == path
    assert path.read_text() == saved


def test_a_changed_copy_is_never_touched(tmp_path, shipped):
    first = lab.copy_start(tmp_path)
    shipped["cells"][0]["source"] = ["my own words"]
    first.write_text(json.dumps(shipped))
    (tmp_path / "00_start-1.ipynb").write_text("not a notebook at all")
    path = lab.copy_start(tmp_path)
    assert path.name == "00_start-2.ipynb"
    assert json.loads(first.read_text()) == shipped
    assert lab.copy_start(tmp_path) == path, "and then that one is used again"


def test_the_command_opens_the_copy(tmp_path, monkeypatch):
    started = []
    monkeypatch.setattr(lab, "_launch", lambda command: started.append(command) or 0)
    folder = tmp_path / "my nets"
    assert main(["lab", "--dir", str(folder), "--no-browser", "--port=9999", "--", "--debug"]) == 0
    (command,) = started
    assert command[1:3] == ["-m", "jupyterlab"]
    assert f"--ServerApp.root_dir={folder}" in command
    assert "--LabApp.default_url=/lab/tree/00_start.ipynb" in command
    assert command[-3:] == ["--port=9999", "--no-browser", "--debug"]
    assert (folder / "00_start.ipynb").exists()


@pytest.mark.parametrize("root", [True, False])
def test_root_in_a_fresh_container_may_start_it_too(tmp_path, monkeypatch, root):
    monkeypatch.setattr(lab, "_is_root", lambda: root)
    command = lab.lab_command(tmp_path, tmp_path / "a.ipynb", None, True, ())
    assert ("--ServerApp.allow_root=True" in command) is root


def test_the_word_lab_may_be_left_out(tmp_path, monkeypatch):
    started = []
    monkeypatch.setattr(lab, "_launch", lambda command: started.append(command) or 0)
    monkeypatch.chdir(tmp_path)
    assert main([]) == 0
    assert main(["--no-browser", "--allow-root"]) == 0
    assert started[1][-2:] == ["--no-browser", "--allow-root"]


def test_a_notebook_of_ones_own(tmp_path, monkeypatch, capsys):
    started = []
    monkeypatch.setattr(lab, "_launch", lambda command: started.append(command) or 0)
    (tmp_path / "a b.ipynb").write_text("{}")
    assert main(["lab", "a b.ipynb", "--dir", str(tmp_path)]) == 0
    assert "--LabApp.default_url=/lab/tree/a%20b.ipynb" in started[0]
    assert main(["lab", "none.ipynb", "--dir", str(tmp_path)]) == 1
    assert "no such notebook" in capsys.readouterr().err
    assert main(["lab", str(tmp_path / "a b.ipynb"), "--dir", str(tmp_path / "other")]) == 1
    assert "outside" in capsys.readouterr().err
    assert len(started) == 1


def test_without_jupyterlab_it_says_what_to_install(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(lab.importlib.util, "find_spec", lambda name: None)
    assert main(["lab", "--dir", str(tmp_path)]) == 1
    assert "pip install 'workbench-ml[lab]'" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_a_file(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert main(["lab", "--dir", str(tmp_path / "file")]) == 1
    assert "is not a folder" in capsys.readouterr().err


def test_a_folder_that_cannot_be_written(tmp_path, monkeypatch, capsys):
    def refuse(path):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(lab, "copy_start", refuse)
    assert main(["lab", "--dir", str(tmp_path)]) == 1
    assert f"Permission denied: {tmp_path}" in capsys.readouterr().err
    assert Path(tmp_path).exists()
