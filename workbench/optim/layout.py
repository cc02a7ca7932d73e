"""Where an optimizer's state lies, and how a step walks over it.

The state of a group's parameters lies in flat buffers, one for each name ("exp_avg", …), dtype and
device; what `optimizer.state` shows are views into them. Large parameters come first, each on its
own; behind them the small ones, packed. Parameters stay where they are (others hold their arrays,
too), and gradients come as the backward pass made them. Where kernels are compiled, one goes over
all parameters, by all threads and in one pass. NumPy's way are blocks: a large parameter is read
and written in place, a cache-sized block at a time; small ones are copied into one block and their
new values out of it, which costs far less than a kernel of its own for each. A captured step writes
its gradients where the blocks read them (`Layout.gradients`).

Steps are the same to the bit however parameters are laid out: kernels work element by element.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.arrays import array_device, namespace
from workbench.arrays.compiler import available, lines
from workbench.arrays.compiler.kernel import address
from workbench.arrays.parallel import each
from workbench.tensor import Tensor, versions, wrap

if TYPE_CHECKING:
    from .optimizer import Optimizer

_CHANGING = {"params", "lr", "initial_lr"}  # what of a group the kernel gets as numbers, or not
LINE = 16  # large parameters start at multiples of as many elements


class Member:
    """One parameter: its array and the state it must still have for the layout to hold."""

    __slots__ = ("array", "held", "own", "parameter", "place", "shape", "size", "start", "strided")

    def __init__(self, place: int, parameter: Tensor) -> None:
        self.place = place  # among the group's parameters
        self.parameter = parameter
        self.array = array = parameter.array
        self.shape = array.shape
        self.strided = not array.flags.c_contiguous
        self.size = array.size * (2 if array.dtype.kind == "c" else 1)
        self.start = 0  # in the flat buffers
        self.own: dict[str, Any] | None = None
        self.held: list[tuple[str, Tensor, Any]] = []

    def fits(self, state: Any) -> bool:
        """Whether parameter and state still live in the arrays they had."""
        if self.parameter.array is not self.array:
            return False
        own = self.own
        if own is None:
            return True
        if state.get(self.parameter) is not own:
            return False
        for name, tensor, array in self.held:
            if own.get(name) is not tensor or tensor.array is not array:
                return False
        return True


class Block:
    """What the kernel gets at once: one stretch of a large parameter, or many small ones."""

    __slots__ = ("back", "gradients", "members", "part", "room", "side", "slots", "start", "stop",
                 "values")  # fmt: skip

    def __init__(self, members: list[int], start: int, stop: int) -> None:
        self.members = members
        self.start, self.stop = start, stop  # in the flat buffers
        self.values: Any = None  # the parameter's values; many parameters': room for them
        self.slots: list[Any] = []
        # one parameter
        self.part: slice | None = None  # of its flat gradient
        self.side: str | None = None  # one that is not contiguous: "real", "imag" or "all" of it
        # many
        self.room: Any = None  # `values` as the parameters' dtype
        self.gradients: Any = None  # room for their gradients
        self.back: list[tuple[Any, Any]] = []  # (a parameter's array, its place in the room)


class Layout:
    """The parameters of one dtype and device of a group."""

    def __init__(
        self, optimizer: Optimizer, group: dict[str, Any], members: list[Member], block: int
    ) -> None:
        self.members = members
        self.optimizer, self.group = optimizer, group
        first = members[0].array
        self.space = xp = namespace(first)
        self.complex = first.dtype.kind == "c"
        self.real = first.real.dtype if self.complex else first.dtype
        self.block, self.small = block, block // 4
        self.names = optimizer.slots(group)
        self.scalars = optimizer.scalars
        self.fresh: set[int] = set()
        self.owners = [versions.owner(member.array) for member in members]
        total = 0
        for member in sorted(members, key=self._is_small):  # stable: large ones first
            if not self._is_small(member):
                total += -total % LINE
            member.start = total
            total += member.size
        self.total = total
        self.flat = [xp.empty(total, self.real) for _ in self.names]
        self.columns = [np.zeros(len(members), np.float32) for _ in self.scalars]
        for i, member in enumerate(members):
            self._settle(i, member)
        self._gradients: Any = None
        self.plain = self.space is np and not self.complex and not any(m.strided for m in members)
        self._tables: dict[Any, Any] = {}
        self._blocks: dict[Any, dict[Any, list[Block]]] = {}
        self._room: dict[int, list[Any]] = {}

    def _is_small(self, member: Member) -> bool:
        return not member.strided and member.size <= self.small

    def _view(self, flat: Any, member: Member) -> Any:
        """A member's stretch of a flat buffer, in its shape and dtype."""
        part = flat[member.start : member.start + member.size]
        return (part.view(member.array.dtype) if self.complex else part).reshape(member.shape)

    def _settle(self, i: int, member: Member) -> None:
        """Move (or begin) the state of a member into the flat buffers."""
        optimizer = self.optimizer
        if not self.names and not self.scalars:
            return
        own = member.own = optimizer.state[member.parameter]
        for name, column in zip(self.scalars, self.columns, strict=True):
            held = own.get(name)
            begin = optimizer.scalar_start(name, self.group)
            column[i] = begin if held is None else float(held.array)
            self._hold(member, name, column[i : i + 1].reshape(()))
        for name, flat in zip(self.names, self.flat, strict=True):
            held = own.get(name)
            if held is None:
                self.fresh.add(i)
            if member.strided:  # in the parameter's own order
                if held is None:
                    start = optimizer.start(name, self.group)
                    own[name] = wrap(self.space.full_like(member.array, start))
                member.held.append((name, own[name], own[name].array))
                continue
            place = self._view(flat, member)
            place[...] = optimizer.start(name, self.group) if held is None else held.array
            self._hold(member, name, place)

    @staticmethod
    def _hold(member: Member, name: str, place: Any) -> None:
        own = member.own
        assert own is not None
        if own.get(name) is None:
            own[name] = wrap(place)
        else:
            own[name].array = place
        member.held.append((name, own[name], place))

    def gradients(self) -> list[Any]:
        """Where a captured step writes gradients: views into one flat buffer, one per member."""
        if self._gradients is None:
            self._gradients = self.space.zeros(self.total, self.real)
            self._views = [self._view(self._gradients, member) for member in self.members]
        return self._views

    # -- a step ------------------------------------------------------------------------------

    def step(self, grads: Sequence[Any] | None, present: Sequence[int] | None = None) -> None:
        """Update from `grads`, arrays or None for each member; from the flat buffer without.

        `present`: the members that have a gradient; default: all.
        """
        optimizer, columns = self.optimizer, self.columns
        chosen = slice(None) if present is None else list(present)
        if columns:
            columns[0][chosen] += 1  # the first scalar is "step"
        rows = list(zip(*(column[chosen].tolist() for column in columns), strict=True))
        where = range(len(self.members)) if present is None else present
        if present is None and not self.fresh and (not rows or rows.count(rows[0]) == len(rows)):
            key = None  # nearly always: all of them, in step
            classes = {0: (rows[0] if rows else (), False)}
        else:
            keys = [(rows[at] if rows else (), i in self.fresh) for at, i in enumerate(where)]
            numbers = {one: number for number, one in enumerate(dict.fromkeys(keys))}
            classes = {number: one for one, number in numbers.items()}
            at = dict(zip(where, (numbers[one] for one in keys), strict=True))
            key = tuple(at.get(i) for i in range(len(self.members)))
        for number, (row, fresh) in classes.items():
            step, more = (row[0], row[1:]) if row else (0.0, ())
            values = optimizer.constants(self.group, step, fresh, *more)
            if not self._at_once(key, number, grads, values):
                numbers_ = [self.space.asarray(value, self.real) for value in values]
                self._run(self._blocks_of(key)[number], grads, numbers_)
        optimizer.finish(self.group, dict(zip(self.scalars, columns, strict=True)), chosen)
        self.fresh.difference_update(where)
        owners = self.owners
        versions.mark_owners(owners if present is None else [owners[i] for i in present])

    def _at_once(
        self, key: Any, number: int, grads: Sequence[Any] | None, values: Sequence[float]
    ) -> bool:
        """Step all members of a class by one compiled kernel, where there is one."""
        if not self.plain or not available():
            return False
        table = self._table(key, number, len(values))
        if table is None:
            return False
        kernel, members, flat = table
        real, held = self.real, []
        if grads is None:
            if not flat:
                flat += [address(g) for g in map(self._gradient_of, members)]
            kernel.rows[:, 1] = flat
        else:
            for i in members:
                g = grads[i]
                if g.dtype is not real or not g.flags.c_contiguous:
                    g = np.ascontiguousarray(g, real)
                held.append(g)
            kernel.rows[:, 1] = list(map(address, held))
        kernel(np.array(values, self.real))
        return True

    def _table(self, key: Any, number: int, numbers: int) -> Any:
        """The kernel for a class of members, their numbers, and room for where gradients lie."""
        group = self.group
        settings = tuple(value for name, value in group.items() if name not in _CHANGING)
        # some optimizers take another way, with other numbers, in their first steps
        place = (key, number, numbers)
        found = self._tables.get(place)
        if found is None or found[0] != settings:
            if len(self._tables) > 16:
                self._tables.clear()
            members = [
                i for i, one in enumerate(self.members)
                if one.size and (key is None or key[i] == number)
            ]  # fmt: skip
            stated = _stated(self.optimizer, group, len(self.flat), numbers)
            made = None if stated is None else lines.table(stated, numbers, map(self._row, members))
            found = self._tables[place] = (settings, None if made is None else (made, members, []))
        return found[1]

    def _row(self, i: int) -> list[Any]:
        """A member's values, values again for its gradient, and state, each as one line."""
        member = self.members[i]
        values = member.array.reshape(-1)
        return [
            values, values, *(one[member.start : member.start + member.size] for one in self.flat)
        ]  # fmt: skip

    def _gradient_of(self, i: int) -> Any:
        """A member's stretch of the flat gradients."""
        member = self.members[i]
        return self._gradients[member.start : member.start + member.size]

    def _blocks_of(self, key: Any) -> dict[int, list[Block]]:
        blocks = self._blocks.get(key)
        if blocks is None:
            if len(self._blocks) > 16:
                self._blocks.clear()
            blocks = self._blocks[key] = self._plan(key)
        return blocks

    def _run(self, blocks: list[Block], grads: Sequence[Any] | None, numbers: list[Any]) -> None:
        kernel, space, group = self.optimizer.kernel, self.space, self.group

        def run(block: Block, worker: int) -> None:
            values = block.values
            if block.back:
                space.concatenate([array for array, _ in block.back], axis=None, out=block.room)
            if grads is None and block.side is None:
                g = self._gradients[block.start : block.stop]
            elif block.back:
                g = block.gradients
                assert grads is not None
                space.concatenate([grads[i] for i in block.members], axis=None, out=g)
                g = _real(g) if self.complex else g
            else:
                g = (self._views if grads is None else grads)[block.members[0]]
                if block.side is None:
                    g = g.reshape(-1)
                    g = _real(g) if self.complex else g
                    g = g if block.part is None else g[block.part]
                elif block.side != "all":
                    g = getattr(g, block.side)
            kernel(space, group, values, g, block.slots, self._scratch(worker, values), numbers)
            for array, part in block.back:
                array[...] = part

        if space is np and len(blocks) > 1:
            each(run, blocks, self.total)
        else:
            for block in blocks:
                run(block, 0)

    def _scratch(self, worker: int, like: Any) -> list[Any]:
        """Two arrays of the block's shape; each worker thread has its own."""
        if like.ndim != 1 or not like.flags.c_contiguous:
            return [self.space.empty_like(like), self.space.empty_like(like)]
        room = self._room.get(worker)
        size = like.size
        if room is None or room[0].size < size:
            room = [self.space.empty(max(size, 1), self.real) for _ in range(2)]
            self._room[worker] = room
        if room[0].size == size:
            return room
        return [room[0][:size], room[1][:size]]

    # -- blocks ------------------------------------------------------------------------------

    def _plan(self, key: tuple[int | None, ...] | None) -> dict[int, list[Block]]:
        """The blocks of each class of members; `key` gives each member's class, None: none."""
        classes: dict[int, list[Block]] = {}
        packed: dict[int, list[int]] = {}
        for i, member in enumerate(self.members):
            number = 0 if key is None else key[i]
            if number is None:
                continue
            made = classes.setdefault(number, [])
            if self._is_small(member):
                packed.setdefault(number, []).append(i)
            else:
                made += self._alone(i)
        for number, members in packed.items():
            classes[number] += self._packed(members)
        return classes

    def _alone(self, i: int) -> list[Block]:
        member = self.members[i]
        if member.strided:
            held = [member.array, *(array for _, _, array in member.held[len(self.scalars) :])]
            blocks = []
            for side in ("real", "imag") if self.complex else ("all",):
                block = Block([i], 0, 0)
                block.side = side
                parts = held if side == "all" else [getattr(one, side) for one in held]
                block.values, *block.slots = parts
                blocks.append(block)
            return blocks
        values = member.array.reshape(-1)
        values = _real(values) if self.complex else values
        blocks = []
        step = member.size if member.size <= 2 * self.block else self.block
        for start in range(0, member.size, max(step, 1)):
            stop = min(start + step, member.size)
            block = Block([i], member.start + start, member.start + stop)
            block.part = None if step == member.size else slice(start, stop)
            block.values = values[start:stop]
            block.slots = [flat[block.start : block.stop] for flat in self.flat]
            blocks.append(block)
        return blocks

    def _packed(self, members: list[int]) -> list[Block]:
        """Blocks of small members: neighbours in the flat buffers, together at most one block."""
        blocks: list[Block] = []
        for i in members:
            member = self.members[i]
            last = blocks[-1] if blocks else None
            if (
                last is not None
                and last.stop == member.start
                and last.stop - last.start + member.size <= self.block
            ):
                last.members.append(i)
                last.stop += member.size
            else:
                blocks.append(Block([i], member.start, member.start + member.size))
        made: list[Block] = []
        for block in blocks:
            if len(block.members) == 1:
                made += self._alone(block.members[0])
                continue
            xp, size = self.space, sum(self.members[i].array.size for i in block.members)
            dtype = self.members[0].array.dtype
            block.gradients, block.room = xp.empty(size, dtype), xp.empty(size, dtype)
            block.values = _real(block.room) if self.complex else block.room
            block.slots = [flat[block.start : block.stop] for flat in self.flat]
            start = 0
            for i in block.members:
                array = self.members[i].array
                part = block.room[start : start + array.size].reshape(array.shape)
                block.back.append((array, part))
                start += array.size
            made.append(block)
        return made


def _stated(optimizer: Optimizer, group: dict[str, Any], slots: int, numbers: int) -> Any:
    """The lines of the optimizer's kernel under these settings; None if it has others."""
    statement = lines.Statement()
    try:
        optimizer.kernel(
            statement, group, statement.array(0), statement.array(1),
            [statement.array(2 + i) for i in range(slots)], [statement.room(), statement.room()],
            [statement.number(i) for i in range(numbers)],
        )  # fmt: skip
    except Exception:  # noqa: BLE001 - a kernel may do anything: then NumPy does it
        return None
    return tuple(statement.lines)


class Plan:
    """The layouts of one group, for the parameters that have had a gradient."""

    def __init__(
        self, optimizer: Optimizer, group: dict[str, Any], wanted: Sequence[bool], block: int
    ) -> None:
        self.optimizer, self.group = optimizer, group
        self.params = tuple(group["params"])
        self.names = optimizer.slots(group)
        self.scalars = optimizer.scalars
        buckets: dict[Any, list[Member]] = {}
        for place, (p, has) in enumerate(zip(self.params, wanted, strict=True)):
            if has or self._begun(p):
                key = (p.array.dtype, str(array_device(p.array)))
                buckets.setdefault(key, []).append(Member(place, p))
        self.layouts = [Layout(optimizer, group, members, block) for members in buckets.values()]
        self.places = frozenset(m.place for layout in self.layouts for m in layout.members)

    def _begun(self, p: Tensor) -> bool:
        return bool(self.names or self.scalars) and bool(self.optimizer.state.get(p))

    def fits(self) -> bool:
        """Whether parameters and their state are what and where they were."""
        params, state = self.group["params"], self.optimizer.state
        if len(params) != len(self.params) or self.names != self.optimizer.slots(self.group):
            return False
        for p, known in zip(params, self.params, strict=True):
            if p is not known:
                return False
        return all(member.fits(state) for layout in self.layouts for member in layout.members)

    def holds(self, wanted: Sequence[bool]) -> bool:
        """Whether every parameter that is wanted has its place here."""
        places = self.places
        return len(places) == len(wanted) or all(
            place in places for place, has in enumerate(wanted) if has
        )

    def step(self, grads: Sequence[Any]) -> None:
        """Update the parameters of the group by their gradients, Tensors or None."""
        for layout in self.layouts:
            found: list[Any] = []
            present: list[int] = []
            for i, member in enumerate(layout.members):
                grad = grads[member.place]
                if grad is None:
                    found.append(None)
                    continue
                g = grad.array
                if g.shape != member.shape:
                    raise RuntimeError(
                        f"the gradient of a parameter of shape {list(member.shape)} has shape "
                        f"{list(g.shape)}; a parameter's shape must not change between backward "
                        "and step"
                    )
                found.append(g)
                present.append(i)
            if len(present) == len(found):
                layout.step(found)
            elif present:
                layout.step(found, present)


def _real(array: Any) -> Any:
    return array.view(array.real.dtype)
