import io

from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.cli.progress import Progress, bar, clock


@settings(deadline=None)
@given(st.floats(-1, 2), st.integers(1, 80))
def test_a_bar_has_its_width(share, width):
    text = bar(share, width)
    assert len(text) == width
    if share >= 1:
        assert text == "█" * width
    if share <= 0:
        assert text == " " * width


def test_times_read_well():
    assert [clock(s) for s in (0, 7, 61, 3723)] == ["0:00", "0:07", "1:01", "1:02:03"]


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_a_log_gets_ten_lines():
    now = [0.0]
    out = io.StringIO()
    progress = Progress(1000, out, now=lambda: now[0])
    for step in range(1, 1001):
        now[0] += 0.01
        progress.update(step, "loss 1.0")
    progress.close()
    lines = out.getvalue().splitlines()
    assert len(lines) == 10
    assert lines[0] == " 10% 100/1000  0:09 left  loss 1.0"
    assert lines[-1] == "100% 1000/1000  0:10  loss 1.0"


def test_a_terminal_gets_one_line_drawn_now_and_then():
    now = [0.0]
    out = Terminal()
    progress = Progress(100, out, now=lambda: now[0])
    for step in range(1, 101):
        now[0] += 0.01
        progress.update(step)
    progress.say("edited")
    progress.close()
    assert out.getvalue().count("\r") < 20
    assert "100% 100/100" in out.getvalue()
    assert out.getvalue().endswith("edited\n")
