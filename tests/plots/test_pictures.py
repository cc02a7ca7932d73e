import struct
import subprocess
import sys

import matplotlib as mpl
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import workbench as wb
from workbench import nn
from workbench.network import Add
from workbench.plots import Picture, bench_picture, draw_network, plot_run
from workbench.plots.layout import arrange, collapse
from workbench.plots.style import shorten

NASTY = ["<script>alert(1)</script>", "$x$ $\\frac$", "a" * 80, "层", "100% _^{}"]


def network(names=()):
    net = wb.Network((1, 8, 8), name="digits $1")
    net.append(nn.Flatten(), name="flatten")
    net.append(nn.Linear(64, 16), name="fc1", seed=1)
    for name in names:
        net.append(nn.Tanh(), name=name)
    net.append(nn.Linear(16, 16), name="fc2", seed=2)
    net.append(Add(), name="add", inputs=["fc2", "fc1"])
    net.append(nn.Linear(16, 10), name="out", seed=3)
    return net


def trained(steps=30, **options):
    run = wb.Run(network(**options), wb.data.datasets.digits())
    run.train(steps=steps)
    run.network.insert(nn.ReLU(), after="add", name="act")
    run.set_lr(5e-4)
    run.train(steps=steps)
    return run


def size(png):
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    return struct.unpack(">II", png[16:24])


def test_the_bench_picture_is_small_and_the_same_for_the_same_run():
    one, other = bench_picture(trained()), bench_picture(trained())
    assert one == other
    assert len(one) <= 60_000
    assert size(one)[0] == 920
    assert size(bench_picture(trained(), width=600))[0] == 600


def test_a_run_that_has_not_begun_and_a_failed_one_have_pictures():
    assert size(bench_picture(wb.Run(network(), wb.data.datasets.digits())))[0] == 920
    x = np.full((8, 1, 8, 8), np.nan, np.float32)
    run = wb.Run(network(), (x, np.zeros(8, np.int64)))
    with pytest.raises(wb.training.TrainingError):
        run.train(steps=1)
    assert len(bench_picture(run)) <= 60_000
    assert isinstance(plot_run(run), Picture)


def test_names_of_any_kind_are_drawn_as_text():
    run = trained(5, names=NASTY)
    assert len(bench_picture(run)) <= 60_000
    assert run.plot()._repr_png_()
    figure = run.network.draw()
    texts = [text.get_text() for text in figure.axes[0].texts]
    assert any("<script>" in text for text in texts)
    assert figure._repr_png_()


def test_a_long_network_and_a_plain_module_are_drawn():
    net = wb.Network((4,), name="long")
    for _ in range(40):
        net.append(nn.Linear(4, 4))
    run = wb.Run(net, (wb.randn(8, 4), wb.zeros(8, dtype=wb.int64)))
    run.train(steps=3)
    assert len(bench_picture(run)) <= 60_000
    assert draw_network(net)._repr_png_()
    plain = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
    assert draw_network(plain)._repr_png_()
    run = wb.Run(plain, wb.data.datasets.digits(), metrics=())
    run.train(steps=3)
    assert len(bench_picture(run)) <= 60_000


def test_the_users_matplotlib_is_left_alone():
    from matplotlib.figure import Figure

    code = (
        "import sys, workbench as wb\nfrom workbench import nn\n"
        "net = wb.Network((4,)); net.append(nn.Linear(4, 2))\n"
        "net.draw()._repr_png_()\nprint('matplotlib.pyplot' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stdout.strip() == "False", done.stderr
    run = trained(3)
    with mpl.rc_context({"axes.facecolor": "black", "text.color": "white", "font.size": 30}):
        before = dict(mpl.rcParams)
        dark = bench_picture(run)
        assert dict(mpl.rcParams) == before
        ax = Figure().add_subplot()
        assert draw_network(run.network, ax=ax) is ax.figure
    assert dark == bench_picture(run)


def test_a_picture_says_the_same_each_time():
    assert repr(draw_network(network())) == repr(draw_network(network()))
    assert "0x" not in repr(draw_network(network()))


@given(st.lists(st.lists(st.integers(0, 20), min_size=1, max_size=3), max_size=20))
@settings(max_examples=60, deadline=None)
def test_no_two_boxes_share_a_place_and_inputs_are_above(wiring):
    names = ["input"]
    nodes = []
    for number, sources in enumerate(wiring):
        nodes.append(
            {"id": f"n{number}", "inputs": [names[source % len(names)] for source in sources]}
        )
        names.append(f"n{number}")
    layout = arrange(nodes)
    places = [(box.row, box.x) for box in layout.boxes.values()]
    assert len(set(places)) == len(places)
    for wire in layout.wires:
        assert layout.boxes[wire.source].row < layout.boxes[wire.target].row
    short = collapse(nodes, 6)
    assert len(short) <= max(6, 1)
    arrange(short)


def test_texts_are_shortened_in_the_middle():
    assert shorten("short", 10) == "short"
    assert shorten("a" * 50 + "\n" + "b" * 50, 11) == "aaaaaa…bbbb"
