"""A network as a figure: a card for each layer, with what it is, its output and its size."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from matplotlib.patches import FancyArrowPatch, FancyBboxPatch, Rectangle
from matplotlib.path import Path

from workbench import nn

from .layout import Box, Layout, Wire, arrange, collapse
from .style import CARD, EDIT, FAINT, FAMILIES, INK, PAPER, SOFT, Picture, house_style, shorten

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# In inches, the unit of the axes: a card keeps its size however many there are.
WIDTH, HEIGHT = 2.9, 0.44
GAP_X, GAP_Y = 0.4, 0.22
LANE = 0.22
MARGIN = 0.12


def draw_network(network: Any, ax: Axes | None = None) -> Any:
    """Draw a network top to bottom and return the figure (or the figure that `ax` is in).

    `network` is a `Network`, or any module: its children are then drawn as a chain, without shapes.
    """
    graph = describe(network)
    layout = arrange(graph["nodes"])
    with house_style():
        if ax is None:
            width, height = extent(layout)
            figure: Any = Picture(figsize=(max(2.0, width), max(1.0, height)), dpi=120)
            ax = figure.add_axes((0, 0, 1, 1))
        else:
            figure = ax.figure
        paint(ax, graph, layout)
    return figure


def describe(network: Any) -> dict[str, Any]:
    """The network as its graph JSON; of another module the children, one after the other."""
    if callable(getattr(network, "graph", None)):
        return network.graph()  # type: ignore[no-any-return]
    nodes: list[dict[str, Any]] = []
    children = list(network.named_children()) or [(type(network).__name__, network)]
    for name, child in children:
        nodes.append(
            {
                "id": f"m{len(nodes) + 1}",
                "name": name,
                "type": type(child).__name__,
                "family": "Custom",
                "inputs": [nodes[-1]["id"] if nodes else "input"],
                "shape": None,
                "parameters": sum(p.numel() for p in child.parameters()),
                "frozen": _frozen(child),
                "repr": type(child).__name__,
            }
        )
    return {"input": {"id": "input", "name": "input", "shape": None, "dtype": ""}, "nodes": nodes}


def shortened(graph: Mapping[str, Any], limit: int) -> dict[str, Any]:
    """The graph with at most about `limit` layers, the middle as one card."""
    return {**graph, "nodes": collapse(graph["nodes"], limit)}


def extent(layout: Layout) -> tuple[float, float]:
    """Width and height in inches that a layout needs."""
    left, right = _sides(layout)
    return right - left, layout.rows * (HEIGHT + GAP_Y) - GAP_Y + 2 * MARGIN


def paint(ax: Axes, graph: Mapping[str, Any], layout: Layout) -> None:
    """Draw into `ax`, which is stretched to the layout; its aspect stays equal."""
    left, right = _sides(layout)
    height = extent(layout)[1]
    # Type sizes are those of cards at full size; smaller cards get smaller type.
    place = ax.get_window_extent()
    inch = ax.get_figure(root=True).get_dpi()  # type: ignore[union-attr]
    scale = min(1.0, place.width / inch / (right - left), place.height / inch / height)
    ax.set_xlim(left, right)
    ax.set_ylim(height - MARGIN, -MARGIN)
    ax.set_aspect("equal", anchor="N")
    ax.axis("off")
    for wire in layout.wires:
        _wire(ax, layout, wire, wire.target == "…" or wire.source == "…")
    _input(ax, graph["input"], layout.boxes["input"])
    for node in graph["nodes"]:
        _card(ax, node, layout.boxes[node["id"]])
    for text in ax.texts:
        text.set_fontsize(float(text.get_fontsize()) * scale)


def _sides(layout: Layout) -> tuple[float, float]:
    xs = [box.x for box in layout.boxes.values()]
    left = min(xs) * (WIDTH + GAP_X) - WIDTH / 2 - MARGIN
    right = max(xs) * (WIDTH + GAP_X) + WIDTH / 2 + MARGIN + layout.lanes * LANE
    return left, right


def _corner(box: Box) -> tuple[float, float]:
    return box.x * (WIDTH + GAP_X) - WIDTH / 2, box.row * (HEIGHT + GAP_Y)


def _input(ax: Axes, node: Mapping[str, Any], box: Box) -> None:
    x, y = _corner(box)
    ax.add_patch(
        FancyBboxPatch(
            (x + WIDTH * 0.2, y + 0.06), WIDTH * 0.6, HEIGHT - 0.12,
            boxstyle="round,pad=0,rounding_size=0.16", facecolor=PAPER, edgecolor=SOFT,
            linewidth=0.9, linestyle=(0, (3, 2)),
        )
    )  # fmt: skip
    text = "input" if node.get("shape") is None else f"input  {_shape(node['shape'])}"
    _text(ax, x + WIDTH / 2, y + HEIGHT / 2, text, SOFT, 8, ha="center")


def _card(ax: Axes, node: Mapping[str, Any], box: Box) -> None:
    x, y = _corner(box)
    colour = FAMILIES.get(str(node.get("family")), FAMILIES["Custom"])
    frozen = bool(node.get("frozen"))
    card = FancyBboxPatch(
        (x, y), WIDTH, HEIGHT, boxstyle="round,pad=0,rounding_size=0.06",
        facecolor=CARD, edgecolor=FAINT, linewidth=0.9,
        linestyle=(0, (4, 2)) if frozen else "solid",
    )  # fmt: skip
    ax.add_patch(card)
    strip = Rectangle((x, y), 0.07, HEIGHT, facecolor=colour, linewidth=0, alpha=0.95)
    ax.add_patch(strip)
    strip.set_clip_path(card)
    shape, count = node.get("shape"), node.get("parameters") or 0
    _text(ax, x + 0.17, y + 0.15, shorten(str(node["name"]), 22), INK, 8.5, weight="bold")
    _text(ax, x + 0.17, y + 0.32, shorten(settings(node), 40 if not count else 30), SOFT, 6.8)
    if shape is not None:
        _text(ax, x + WIDTH - 0.1, y + 0.15, _shape(shape), INK, 7.6, ha="right")
    right = f"{count:,} parameters" if count else ""
    if frozen:
        right = f"frozen · {count:,}"
    if right:
        _text(ax, x + WIDTH - 0.1, y + 0.32, right, EDIT if frozen else SOFT, 6.8, ha="right")


def settings(node: Mapping[str, Any]) -> str:
    """A layer's type and the settings that differ from the usual: "Conv2d(16, 3, padding=1)"."""
    kind, args = str(node.get("type") or ""), node.get("args") or {}
    module = getattr(nn, kind, None)
    if not args or module is None:
        return kind
    said = []
    for name, parameter in inspect.signature(module).parameters.items():
        if name not in args or args[name] == parameter.default:
            continue
        required = parameter.default is parameter.empty
        said.append(_value(args[name]) if required else f"{name}={_value(args[name])}")
    return f"{kind}({', '.join(said)})" if said else kind


def _value(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        return "×".join(map(_value, value))  # noqa: RUF001 - a size
    return f"{value:g}" if isinstance(value, float) else str(value)


def _wire(ax: Axes, layout: Layout, wire: Wire, faint: bool) -> None:
    x0, y0 = _corner(layout.boxes[wire.source])
    x1, y1 = _corner(layout.boxes[wire.target])
    if wire.source == "input":
        y0 -= 0.06
    start, end = (x0 + WIDTH / 2, y0 + HEIGHT), (x1 + WIDTH / 2, y1)
    if wire.lane:
        right = _sides(layout)[1] - MARGIN - (layout.lanes - wire.lane) * LANE - LANE * 0.35
        begin_y, end_y, r = y0 + HEIGHT / 2, y1 + HEIGHT / 2, 0.09
        side0, side1 = x0 + WIDTH, x1 + WIDTH
        if wire.source == "input":
            side0 -= WIDTH * 0.2
        points = [
            (Path.MOVETO, (side0, begin_y)), (Path.LINETO, (right - r, begin_y)),
            (Path.CURVE3, (right, begin_y)), (Path.CURVE3, (right, begin_y + r)),
            (Path.LINETO, (right, end_y - r)),
            (Path.CURVE3, (right, end_y)), (Path.CURVE3, (right - r, end_y)),
            (Path.LINETO, (side1, end_y)),
        ]  # fmt: skip
    elif abs(start[0] - end[0]) < 1e-6:
        points = [(Path.MOVETO, start), (Path.LINETO, end)]
    else:
        bend = (end[1] - start[1]) * 0.95
        points = [
            (Path.MOVETO, start), (Path.CURVE4, (start[0], start[1] + bend)),
            (Path.CURVE4, (end[0], end[1] - bend)), (Path.CURVE4, end),
        ]  # fmt: skip
    codes, places = zip(*points, strict=True)
    ax.add_patch(
        FancyArrowPatch(
            path=Path(places, codes), arrowstyle="-|>,head_width=1.7,head_length=3",
            color=SOFT, linewidth=1.0, linestyle="dotted" if faint else "solid",
            shrinkA=0, shrinkB=0, joinstyle="round", capstyle="round", zorder=0.8,
        )
    )  # fmt: skip


def _text(
    ax: Axes, x: float, y: float, text: str, colour: str, size: float, **options: Any
) -> None:
    options.setdefault("ha", "left")
    # parse_math off: a "$" in a layer's name is a "$"
    ax.text(x, y, text, color=colour, fontsize=size, va="center", parse_math=False, **options)


def _shape(shape: Any) -> str:
    return " × ".join(str(side) for side in shape) or "scalar"  # noqa: RUF001 - a size


def _frozen(module: Any) -> bool:
    flags = [p.requires_grad for p in module.parameters()]
    return bool(flags) and not any(flags)
