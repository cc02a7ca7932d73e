"""Maxima and means over windows of planes, and their gradients, compiled.

Windows of two by two that lie side by side are worked on in registers. For all others a row of the
input is first dealt out into as many rows as the stride has steps ("phases"), with the padding
around it: what one tap of neighbouring windows reads then lies side by side, whatever the stride.
The gradient asks every element which windows it is in, in torch's order of summation, so nothing
is scattered. As in torch the first of equal elements is the maximum, and the last nan.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from workbench.arrays.compiler.ir import Function, Value, vector
from workbench.arrays.compiler.kernel import kernel
from workbench.arrays.compiler.llvm import host

_STEPS = 8  # a longer stride is dealt out number by number


def _lanes(real: str) -> int:
    return host().lanes if real == "float" else host().lanes // 2


def _larger(fn: Function, best: Value, x: Value) -> Value:
    """The larger one: `best` of equals, and nan wherever it comes from."""
    return fn.select(x.compare("!=", x), x, fn.maximum(x, best))


def _beats(fn: Function, best: Value, x: Value) -> Value:
    return (x > best) | x.compare("!=", x)


# -- two by two ------------------------------------------------------------------------------------


def _dealt(fn: Function, kind: str, base: Value, place: Value, masks: Any) -> tuple[Value, Value]:
    """The elements at even and at odd places of two vectors."""
    lanes = masks[0]
    parts = []
    for part in range(2):
        at = place + part * lanes
        parts.append(
            fn.load_some(kind, base, at, masks[1 + part]) if len(masks) > 1
            else fn.load(kind, base, at)
        )  # fmt: skip
    return tuple(fn.shuffle(*parts, range(odd, 2 * lanes, 2)) for odd in range(2))


def _put_dealt(
    fn: Function, even: Value, odd: Value, base: Value, place: Value, masks: Any
) -> None:
    """The inverse of `_dealt`."""
    lanes = masks[0]
    for part in range(2):
        places = [lane // 2 + lane % 2 * lanes for lane in range(part * lanes, (part + 1) * lanes)]
        value, at = fn.shuffle(even, odd, places), place + part * lanes
        if len(masks) > 1:
            fn.store_some(value, base, at, masks[1 + part])
        else:
            fn.store(value, base, at)


def _squares(fn: Function, begin: Value, end: Value, rows: Value, columns: Value, real: str) -> Any:
    """Call the result with a function of (first row's place, window's place, masks, mask)."""
    lanes = _lanes(real)
    whole = columns // lanes * lanes
    rest = columns - whole
    tail = [lanes, fn.mask(lanes, rest * 2), fn.mask(lanes, rest * 2 - lanes)]
    last = fn.mask(lanes, rest)

    def each(body: Any) -> None:
        with fn.range(begin * rows, end * rows) as row:
            top, out = row * columns * 4, row * columns
            with fn.range(0, whole, lanes) as i:
                body(top + i * 2, out + i, [lanes], None)
            with fn.when(rest > 0):
                body(top + whole * 2, out + whole, tail, last)

    return each


@kernel("ptr x, ptr out, i64 rows, i64 columns")
def squares(fn, x, out, rows, columns, begin, end, worker, *, real, kind):
    """Maxima or means of the 2 x 2 windows of planes; rows and columns of windows."""
    lanes = _lanes(real)
    held = vector(lanes, real)

    def body(top: Value, place: Value, masks: Any, last: Any) -> None:
        a, b = _dealt(fn, held, x, top, masks)
        c, d = _dealt(fn, held, x, top + columns * 2, masks)
        if kind == "max":
            made = _larger(fn, _larger(fn, _larger(fn, a, b), c), d)
        else:
            made = (a + b + c + d) * 0.25
        if last is None:
            fn.store(made, out, place)
        else:
            fn.store_some(made, out, place, last)

    _squares(fn, begin, end, rows, columns, real)(body)


@kernel("ptr g, ptr x, ptr out, i64 rows, i64 columns")
def squares_back(fn, g, x, out, rows, columns, begin, end, worker, *, real, kind):
    """The gradient of `squares`."""
    lanes = _lanes(real)
    held = vector(lanes, real)

    def body(top: Value, place: Value, masks: Any, last: Any) -> None:
        low = top + columns * 2
        given = fn.load(held, g, place) if last is None else fn.load_some(held, g, place, last)
        if kind == "max":
            a, b = _dealt(fn, held, x, top, masks)
            c, d = _dealt(fn, held, x, low, masks)
            second, best = _beats(fn, a, b), _larger(fn, a, b)
            third, best = _beats(fn, best, c), _larger(fn, best, c)
            fourth = _beats(fn, best, d)
            zero = fn.of(held, 0)
            free = given
            shares = []
            for won in (fourth, third, second):
                shares.append(fn.select(won, free, zero))
                free = fn.select(won, zero, free)
            fourth, third, second, first = *shares, free
        else:
            first = second = third = fourth = given * 0.25
        _put_dealt(fn, first, second, out, top, masks)
        _put_dealt(fn, third, fourth, out, low, masks)

    _squares(fn, begin, end, rows, columns, real)(body)


# -- any windows -----------------------------------------------------------------------------------


class Plan:
    """What is known of windows when a kernel is written; pairs are (rows, columns)."""

    def __init__(self, real: str, kernel: Any, stride: Any, padding: Any, gap: Any) -> None:
        self.real, self.lanes = real, _lanes(real)
        self.kind = vector(self.lanes, real)
        self.whole = "i32" if real == "float" else "i64"
        (self.high, self.wide), (self.down, self.step) = kernel, stride
        (self.above, self.before), (self.row_gap, self.gap) = padding, gap
        self.taps = [(c, c * self.gap % self.step, c * self.gap // self.step)
                     for c in range(self.wide)]  # fmt: skip

    @property
    def reach(self) -> int:
        """By how much a window's last tap lies behind its first, in a phase."""
        return self.taps[-1][2]


def pitch_of(plan: Plan, width: int, columns: int) -> int:
    """The length of a phase, with what vectors read and write behind its end."""
    lanes = plan.lanes
    windows = -(-columns // lanes) * lanes + plan.reach
    inside = (width + plan.before) // plan.step + lanes
    return -(-(max(windows, inside) + lanes) // lanes) * lanes


def _fill(fn: Function, plan: Plan, base: Value, count: Value, value: float, kind: str) -> None:
    with fn.range(0, count, plan.lanes) as i:
        fn.store(fn.of(vector(plan.lanes, kind), value), base, i)


def _chosen(fn: Function, parts: list[Value], places: list[int]) -> Value:
    """The elements at `places` of vectors one behind the other."""
    lanes = len(places)
    made = parts[0]
    for number, part in enumerate(parts[1:], 1):
        # what is not in this vector stays as it is
        kept = places if number == 1 else range(lanes)
        made = fn.shuffle(made, part, [
            place - (number - 1) * lanes if place // lanes == number else kept[n] % lanes
            for n, place in enumerate(places)
        ])  # fmt: skip
    return made


def _split(fn: Function, parts: list[Value], lanes: int) -> list[Value]:
    """Vectors one behind the other, by phases: every so-manieth element."""
    step = len(parts)
    return [_chosen(fn, parts, [n * step + a for n in range(lanes)]) for a in range(step)]


def _merge(fn: Function, phases: list[Value], lanes: int) -> list[Value]:
    """The inverse of `_split`."""
    step = len(phases)
    every = [[divmod(part * lanes + n, step) for n in range(lanes)] for part in range(step)]
    return [_chosen(fn, phases, [a * lanes + n for n, a in places]) for places in every]


def _deal(
    fn: Function, plan: Plan, row: Value, width: Value, into: Value, pitch: Value, rest: float
) -> None:
    """Copy a row of the input into its phases."""
    step, lanes, before = plan.step, plan.lanes, plan.before
    targets = [
        fn.at(into, pitch * ((before + a) % step) + (before + a) // step, plan.real)
        for a in range(step)
    ]
    if step > _STEPS:
        for a, target in enumerate(targets):
            with fn.range(0, (width - a + step - 1) // step) as i:
                fn.store(fn.load(plan.real, row, i * step + a), target, i)
        return
    whole = width // (step * lanes) * lanes

    def body(i: Value, load: Any) -> None:
        parts = [load(part * lanes, i * step + part * lanes) for part in range(step)]
        for target, phase in zip(targets, _split(fn, parts, lanes), strict=True):
            fn.store(phase, target, i)

    with fn.range(0, whole, lanes) as i:
        body(i, lambda _, place: fn.load(plan.kind, row, place))
    left = width - whole * step
    with fn.when(left > 0):
        body(whole, lambda part, place: fn.load_some(
            plan.kind, row, place, fn.mask(lanes, left - part), rest))  # fmt: skip


def _deal_plane(
    fn: Function, plan: Plan, plane: Value, height: Value, width: Value, work: Value,
    pitch: Value, rest: float,
) -> None:  # fmt: skip
    """Copy a plane of the input into phases, behind a row of padding."""
    with fn.range(0, height) as row:
        into = fn.at(work, (row + 1) * (pitch * plan.step), plan.real)
        _deal(fn, plan, fn.at(plane, row * width, plan.real), width, into, pitch, rest)


def _rows_of(
    fn: Function, plan: Plan, row: Value, height: Value, work: Value, pitch: Value
) -> list[Value]:
    """The phases of each row of the windows in the row `row`."""
    found = []
    first = row * plan.down - plan.above
    for r in range(plan.high):
        place = first + r * plan.row_gap
        inside = (place >= 0) & (place < height)
        place = fn.select(inside, (place + 1) * (pitch * plan.step), 0)
        found.append(fn.at(work, place, plan.real))
    return found


def _elements(
    fn: Function, plan: Plan, held: list[Value], pitch: Value, i: Value
) -> Iterator[Value]:
    """The elements of the windows i …, tap by tap."""
    for source in held:
        for _, phase, offset in plan.taps:
            yield fn.load(plan.kind, source, pitch * phase + i + offset)


def _largest(
    fn: Function, plan: Plan, held: list[Value], pitch: Value, i: Value
) -> tuple[Value, Value]:
    """The maxima of numbers, and which of them are nan in truth."""
    first, *values = _elements(fn, plan, held, pitch, i)
    best, lost = first, first.compare("!=", first)
    for n, value in enumerate(values):
        best = fn.maximum(value, best)
        if n % 2 or n == len(values) - 1:  # one comparison finds a nan in either
            other = values[n - n % 2]
            lost = lost | fn.make(lost.kind, f"fcmp uno {value}, {other.name}")
    return best, lost


def _store(fn: Function, plan: Plan, value: Value, base: Value, i: Value, count: Value) -> None:
    """Write a vector to places i …, none of them behind `count`."""
    with fn.either(count - i >= plan.lanes) as otherwise:
        fn.store(value, base, i)
        otherwise()
        fn.store_some(value, base, i, fn.mask(plan.lanes, count - i))


@kernel("ptr x, ptr out, ptr down, ptr across, ptr work, i64 height, i64 width, i64 rows, "
        "i64 columns, i64 pitch, i64 room")  # fmt: skip
def windows(fn, x, out, down, across, work, height, width, rows, columns, pitch, room, begin, end,
            worker, *, real, kind, size, stride, padding, gap):  # fmt: skip
    """Maxima or means of windows; the divisor of a mean is down[row] * across[column]."""
    plan = Plan(real, size, stride, padding, gap)
    rest = -math.inf if kind == "max" else 0.0
    mine = fn.at(work, worker * room, "i8")
    _fill(fn, plan, mine, pitch * plan.step * (height + 1), rest, real)
    with fn.range(begin, end) as p:
        plane = fn.at(x, p * height * width, real)
        _deal_plane(fn, plan, plane, height, width, mine, pitch, rest)
        with fn.range(0, rows) as row:
            held = _rows_of(fn, plan, row, height, mine, pitch)
            target = fn.at(out, (p * rows + row) * columns, real)
            with fn.range(0, columns, plan.lanes) as i:
                if kind == "max":
                    made, lost = _largest(fn, plan, held, pitch, i)
                    made = fn.select(lost, math.nan, made)
                else:
                    values = _elements(fn, plan, held, pitch, i)
                    made = next(values)
                    for value in values:
                        made = made + value
                    made = made / (fn.load(plan.kind, across, i) * fn.load(real, down, row))
                _store(fn, plan, made, target, i, columns)


@kernel("ptr g, ptr x, ptr out, ptr down, ptr across, ptr work, i64 height, i64 width, i64 rows, "
        "i64 columns, i64 pitch, i64 line, i64 room")  # fmt: skip
def windows_back(fn, g, x, out, down, across, work, height, width, rows, columns, pitch, line, room,
                 begin, end, worker, *, real, kind, size, stride, padding, gap):  # fmt: skip
    """The gradient of `windows`.

    Of every window's row its share and, for maxima, the tap that won are kept in rows of `line`
    elements; then each element of the plane adds up what its windows have for it.
    """
    plan = Plan(real, size, stride, padding, gap)
    lanes = plan.lanes
    margin = -(-max(1, plan.reach) // lanes) * lanes
    mine = fn.at(work, worker * room, "i8")
    shares = mine
    if kind == "max":
        shares = fn.at(mine, pitch * plan.step * (height + 1), real)
    codes = fn.at(shares, line * rows, real)
    loose = fn.at(codes, line * rows, real)  # a row that is dealt out again at the end
    if kind == "max":
        _fill(fn, plan, mine, pitch * plan.step * (height + 1), -math.inf, real)
        _fill(fn, plan, codes, line * rows, -1, plan.whole)
    _fill(fn, plan, shares, line * rows, 0, real)
    with fn.range(begin, end) as p:
        if kind == "max":
            plane = fn.at(x, p * height * width, real)
            _deal_plane(fn, plan, plane, height, width, mine, pitch, -math.inf)
        with fn.range(0, rows) as row:
            source = fn.at(g, (p * rows + row) * columns, real)
            place = row * line + margin
            if kind == "max":
                held = _rows_of(fn, plan, row, height, mine, pitch)
            with fn.range(0, columns, lanes) as i:
                inside = fn.mask(lanes, columns - i)
                given = fn.load_some(plan.kind, source, i, inside)
                if kind == "mean":
                    given = given / (fn.load(plan.kind, across, i) * fn.load(real, down, row))
                    given = fn.select(inside, given, 0)
                else:
                    code = _winner(fn, plan, held, pitch, row, i)
                    fn.store(fn.select(inside, code, -1), codes, place + i)
                fn.store(given, shares, place + i)
        target = fn.at(out, p * height * width, real)
        with fn.range(0, height) as h:
            _gather(fn, plan, kind, h, rows, fn.at(shares, margin, real),
                    fn.at(codes, margin, plan.whole), line, fn.at(target, h * width, real), width,
                    loose)  # fmt: skip


def _winner(fn: Function, plan: Plan, held: list[Value], pitch: Value, row: Value, i: Value) -> Any:
    """The number of the tap that holds the maximum: at first, the first that is not padding."""
    lanes, whole = plan.lanes, plan.whole
    codes = vector(lanes, whole)
    across = fn.of(codes, 0)
    start = (fn.iota(lanes, whole) + fn.convert(i, whole)) * plan.step
    t = 1
    while (t - 1) * plan.gap < plan.before and t < plan.wide:
        across = fn.select(start + (t - 1) * plan.gap < fn.of(codes, plan.before), t, across)
        t += 1
    first = fn.of("i64", 0)
    t = 1
    while (t - 1) * plan.row_gap < plan.above and t < plan.high:
        first = fn.select(row * plan.down + (t - 1) * plan.row_gap < plan.above, t, first)
        t += 1
    code = across + fn.convert(first * plan.wide, whole)
    best, lost = _largest(fn, plan, held, pitch, i)
    found = fn.of(codes, 0)
    taps = list(enumerate(_elements(fn, plan, held, pitch, i)))
    for number, value in reversed(taps):
        found = fn.select(value.compare("==", best), fn.of(codes, number), found)
    code = fn.variable(codes, fn.select(best > -math.inf, found, code))
    some = fn.make(f"i{lanes}", f"bitcast {lost} to i{lanes}")
    with fn.when(some.compare("!=", 0)):
        for number, value in taps:
            code.set(fn.select(value.compare("!=", value), fn.of(codes, number), code.get()))
    return code.get()


def _gather(
    fn: Function, plan: Plan, kind: str, h: Value, rows: Value, shares: Value, codes: Value,
    line: Value, target: Value, width: Value, loose: Value,
) -> None:  # fmt: skip
    """One row of the gradient: for each element the shares of the windows it is in, in order."""
    lanes, step, before = plan.lanes, plan.step, plan.before
    found = []
    for r in reversed(range(plan.high)):  # windows from the top down
        away = h + plan.above - r * plan.row_gap
        row = away // plan.down
        fits = (away >= 0) & (row < rows) & (row * plan.down).compare("==", away)
        found.append((r, fits, row * line))
    count = (width + step - 1) // step
    with fn.range(0, count, lanes) as i:
        sums = [fn.variable(plan.kind, 0) for _ in range(step)]
        for r, fits, base in found:
            with fn.when(fits):
                for a, total in enumerate(sums):
                    phase, shift = (before + a) % step, (before + a) // step
                    for c, its, offset in reversed(plan.taps):  # windows from left to right
                        if its != phase:
                            continue
                        place = base + i + (shift - offset)
                        value = fn.load(plan.kind, shares, place)
                        if kind == "max":
                            code = fn.load(vector(lanes, plan.whole), codes, place)
                            won = code.compare("==", r * plan.wide + c)
                            value = fn.select(won, value, 0)
                        total.set(total.get() + value)
        if step <= _STEPS:
            merged = _merge(fn, [total.get() for total in sums], lanes)
            for part, value in enumerate(merged):
                at = i * step + part * lanes
                with fn.when(at < width):
                    _store(fn, plan, value, target, at, width)
        else:
            for a, total in enumerate(sums):
                fn.store(total.get(), loose, a * lanes)
            with fn.range(0, fn.minimum(fn.of("i64", lanes), count - i)) as n:
                for a in range(step):
                    at = (i + n) * step + a
                    with fn.when(at < width):
                        fn.store(fn.load(plan.real, loose, n + a * lanes), target, at)
