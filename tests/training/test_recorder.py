import pytest

from workbench.training.recorder import Mark, Recorder


def test_groups_have_steps_of_their_own():
    recorder = Recorder()
    often = recorder.writer("step", ["loss", "accuracy"])
    seldom = recorder.writer("validation", ["val/loss"])
    for step in range(1, 11):
        often.write(step, [1 / step, float("nan")])
    seldom.write(5, [0.5])
    assert recorder.keys() == ["loss", "accuracy", "val/loss"]
    assert recorder.latest("loss") == pytest.approx(0.1)
    assert recorder.latest("accuracy") is None
    assert recorder.read("val/loss")[0].tolist() == [5]
    assert recorder.read("loss", since=8)[0].tolist() == [9, 10]
    assert "loss" in recorder
    assert "nothing" not in recorder
    assert repr(recorder) == "Recorder(3 series, 0 marks)"


def test_an_unknown_key_is_named_with_those_there_are():
    recorder = Recorder()
    recorder.writer("step", ["loss"])
    with pytest.raises(KeyError, match="'los'; there is loss"):
        recorder.read("los")


def test_a_dragged_slider_leaves_one_mark_a_step():
    recorder = Recorder()
    recorder.mark(3, "edit", "insert relu")
    for rate in range(5):
        recorder.mark(3, "lr", f"lr {rate}")
    recorder.mark(4, "lr", "lr 9")
    assert recorder.marks == [
        Mark(3, "edit", "insert relu"),
        Mark(3, "lr", "lr 4"),
        Mark(4, "lr", "lr 9"),
    ]
    assert recorder.marks[0].to_dict() == {"step": 3, "kind": "edit", "label": "insert relu"}


def test_marks_are_bounded():
    recorder = Recorder()
    for step in range(20_000):
        recorder.mark(step, "lr", "lr")
    assert len(recorder.marks) == 10_000
    assert recorder.marks[-1].step == 19_999
