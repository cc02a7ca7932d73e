"""The Python that is written for each op: `binding.py` compiles it.

Everything here returns lines of source. `bound` is the op's `Bound`; a generated name `aI` is the
raw array of the I-th tensor parameter, `eI` its edge, `r` the result and `t` the result's Tensor.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from workbench.ops.compiled.elementwise import QUICK
from workbench.ops.declare import Op, rule_needs

from .tensor import AT_REST

if TYPE_CHECKING:
    from .binding import Bound

SPECS = "results' shapes and dtypes"  # what a node keeps besides, where a rule needs a result


def _signature(op: Op) -> str:
    parts = [
        p.name if p.required else f"{p.name}=default.{p.name}" if not _literal(p.default)
        else f"{p.name}={p.default!r}"
        for p in op.params
    ]  # fmt: skip
    return ", ".join(parts)


def _literal(value: Any) -> bool:
    return value is None or type(value) in (bool, int, float, str, tuple)


def _needed_by(bound: Bound, name: str) -> list[int]:
    """Positions of the inputs whose gradient rules need the saved value `name`."""
    return [
        i
        for i, p in enumerate(bound.op.tensors)
        if p.name in bound.op.rules and name in rule_needs(bound.op.rules[p.name])
    ]


def _differentiable(bound: Bound) -> list[int]:
    return [i for i, p in enumerate(bound.op.tensors) if p.name in bound.op.rules]


def _saved_source(bound: Bound, arrays: dict[str, str]) -> str:
    """The tuple of what the node keeps; an array only where a gradient that needs it is wanted."""
    op = bound.op
    edges = _differentiable(bound)
    parts = []
    for name in bound.saved:
        if name in arrays:
            value = arrays[name]
            users = _needed_by(bound, name)
            if set(users) != set(edges):
                condition = " or ".join(f"e{i} is not None" for i in users)
                value = f"({value} if {condition} else None)"
        elif name.endswith("_shape") and name[:-6] in arrays:
            value = f"{arrays[name[:-6]]}.shape"
            if any(p.name == name[:-6] and not p.required for p in op.tensors):
                value = f"(None if {arrays[name[:-6]]} is None else {value})"
        elif name.endswith("_strides") and name[:-8] in arrays:
            value = f"{arrays[name[:-8]]}.strides"
        elif name.endswith("_shape") and op.sequence:
            value = "[a.shape for a in a0]"
        elif name == "out":
            value = "r"
        elif name == "wanted" and op.joint is not None:
            value = "(" + "".join(f"e{i} is not None, " for i in edges) + ")"
        elif name == SPECS:
            value = f"({_specs_source(op)})"
        else:
            value = name
        parts.append(value)
    return "(" + "".join(p + ", " for p in parts) + ")"


def _node_source(bound: Bound, arrays: dict[str, str], fix: list[str], indent: str) -> list[str]:
    edges = _differentiable(bound)
    if not edges:
        return [f"{indent}t.edge = None"]
    count = len(bound.op.tensors)
    names = [p.name for p in bound.op.tensors]
    links = "".join(
        (f"{names[i]} if e{i} is LEAF else e{i}, " if i in edges else "None, ")
        for i in range(count)
    )
    wanted = " or ".join(f"e{i} is not None" for i in edges)
    return [
        f"{indent}if ({wanted}) and tape_mode.grad:",
        f"{indent}    t.edge = node = new(Node)",
        f"{indent}    node.kind = bound",
        f"{indent}    node.edges = ({links})",
        f"{indent}    node.saved = {_saved_source(bound, arrays)}",
        *[f"{indent}    {line}" for line in fix],
        f"{indent}    node.seq = tick()",
        f"{indent}else:",
        f"{indent}    t.edge = None",
    ]


def _guarded(lines: list[str], operands: str, closer: str = "") -> list[str]:
    """The lines, with NumPy's complaints told as torch's. An untaken `except` costs nothing.

    `closer` is the line for operands that are not all NumPy's, where one is given.
    """
    test = " or ".join(f"type(a{i}) is not ndarray" for i in range(operands.count("a")))
    return [
        "    try:",
        *[f"        {line}" for line in lines],
        "    except (TypeError, ValueError) as error:",
        *([f"        if {test}:", f"            {closer}"] if closer else []),
        f"        raise explained(op, error, {operands}) from None",
    ]


def _call(bound: Bound) -> list[str]:
    op = bound.op
    if not bound.fast:
        return _general(bound)
    x, *rest = [p.name for p in op.tensors]
    kinds = "fc" if op.dtype == "float" else "biufcV"
    quick = "".join(k for k in kinds if k in op.kinds)
    refused = f"a0.dtype.kind not in {quick!r}" if op.dtype == "float" or op.accepts else ""
    lines = [f"def {op.name}({_signature(op)}):"]
    if rest:
        y = rest[0]
        lines += [
            f"    k = type({y})",
            "    if k is float or k is int:",
            f"        return bound.with_number({x}, {y})",
            "    try:",
            f"        a0 = {x}.array",
            f"        a1 = {y}.array",
            "    except AttributeError:",
            f"        return bound.general({x}, {y})",
            "    if a0.dtype is not a1.dtype" + (f" or {refused}:" if refused else ":"),
            f"        return bound.general({x}, {y})",
            *_guarded([_ufunc_source(op, "a0, a1")], "(a0, a1)", f"return bound.general({x}, {y})"),
        ]
        arrays = {x: "a0", y: "a1"}
        fix = [
            "if (s0 := a0.shape) != (s1 := a1.shape):",
            "    node.fix = ((s0, a0.dtype), (s1, a1.dtype))",
            "else:",
            "    node.fix = None",
        ]
    else:
        lines += [
            "    try:",
            f"        a0 = {x}.array",
            "    except AttributeError:",
            f"        return bound.general({x})",
        ]
        if refused:
            lines += [f"    if {refused}:", f"        return bound.general({x})"]
        lines += _guarded([_ufunc_source(op, "a0")], "(a0,)", f"return bound.general({x})")
        arrays = {x: "a0"}
        fix = ["node.fix = None"]
    lines += [
        "    if type(r) is not ndarray:",
        "        r = asarray(r)",
        "    t = new(Tensor)",
        "    t.array = r",
        f"    {AT_REST}",
    ]
    if op.rules and op.dtype != "compare":
        lines += [f"    e{i} = {p.name}.edge" for i, p in enumerate(op.tensors)]
        lines += _node_source(bound, arrays, fix, "    ")
    else:
        lines += ["    t.edge = None"]
    return [*lines, "    return t"]


def _ufunc_source(op: Op, operands: str) -> str:
    """The line that computes, by all threads where the first operand is large."""
    large = QUICK.get(op.ufunc or "")
    if large is None:
        return f"r = ufunc({operands})"
    return f"r = ufunc({operands}) if a0.size < {large.least} else large({operands})"


def _with_number(bound: Bound) -> list[str]:
    """A tensor and a Python number: NumPy's own weak promotion agrees with torch's for floats."""
    op = bound.op
    x, y = [p.name for p in op.tensors]
    lines = [
        f"def with_number({x}, {y}):",
        "    try:",
        f"        a0 = {x}.array",
        "    except AttributeError:",
        f"        return bound.general({x}, {y})",
        "    kind = a0.dtype.kind",
        f"    if kind != 'f' and (kind != 'c' or {op.dtype == 'compare' or 'c' not in op.kinds}):",
        f"        return bound.general({x}, {y})",
        *_guarded([f"r = ufunc(a0, constant(a0, {y}))"], f"(a0, {y})"),
        "    if type(r) is not ndarray:",
        "        r = asarray(r)",
        "    t = new(Tensor)",
        "    t.array = r",
        f"    {AT_REST}",
    ]
    if op.rules and op.dtype != "compare":
        lines += [f"    e0 = {x}.edge", "    e1 = None"]
        lines += _node_source(bound, {x: "a0", y: y}, ["node.fix = None"], "    ")
    else:
        lines += ["    t.edge = None"]
    return [*lines, "    return t"]


def _general(bound: Bound) -> list[str]:
    op = bound.op
    names = [p.name for p in op.tensors]
    lines = [f"def {op.name}({_signature(op)}):"]
    if op.sequence:
        lines += [
            f"    {names[0]} = require_tensors(op, {names[0]})",
            f"    a0 = [x.array for x in {names[0]}]",
            *([f"    a0 = same_dtype(op, a0, {op.dtype!r})"] if op.dtype else []),
            "    xp = np if set(map(type, a0)) == plain else library(*a0)",
        ]
    elif len(names) == 1 and op.dtype in ("promote", "float"):
        # one operand: nothing to promote, only integers to turn into floats
        wrong = "a0.dtype.kind not in 'fcV'" if op.dtype == "float" else "False"
        lines += [
            "    try:",
            f"        a0 = {names[0]}.array",
            "    except AttributeError:",
            f"        a0, = coerce(op, ({names[0]},))",
            *(
                [f"    if {wrong}:", f"        a0, = coerce(op, ({names[0]},))"]
                if wrong != "False"
                else []
            ),
            _library_source(op),
        ]
    elif op.dtype in ("promote", "float", "compare"):
        operands = "".join(f"{n}, " for n in names)
        lines += [
            "    " + "".join(f"a{i}, " for i in range(len(names))) + f"= coerce(op, ({operands}))",
            _library_source(op),
        ]
    else:
        lines += ["    try:"]
        for i, p in enumerate(op.tensors):
            value = f"{p.name}.array"
            if not p.required:
                value = f"None if {p.name} is None else {value}"
            lines += [f"        a{i} = {value}"]
        optional = tuple(p.name for p in op.tensors if not p.required)
        lines += [
            "    except AttributeError:",
            f"        require_tensors(op, ({''.join(n + ', ' for n in names)}), {optional!r})",
            "        raise",
            _library_source(op),
        ]
        if op.dtype == "same":
            differs = " or ".join(
                f"a{i}.dtype is not a0.dtype"
                if p.required
                else f"(a{i} is not None and a{i}.dtype is not a0.dtype)"
                for i, p in list(enumerate(op.tensors))[1:]
            )
            every = "".join(f"a{i}, " for i in range(len(names)))
            lines += [f"    if {differs}:", f"        same_dtype(op, ({every}), 'same')"]
    settings = "".join(f", {p.name}" for p in op.settings)
    operands = ", ".join(f"a{i}" for i in range(len(names)))
    outputs = list(op.returns) or ["r"]
    targets = ", ".join(outputs + list(op.aux))
    # the tensor whose dtype counts: the first with a gradient (not an index or a condition)
    lead = next((i for i, p in enumerate(op.tensors) if p.name in op.rules), 0)
    kind = "a0[0].dtype.kind" if op.sequence else f"a{lead}.dtype.kind"
    if op.accepts:
        lines += [f"    if {kind} not in {op.kinds!r}:", f"        refuse_dtype(op, a{lead})"]
    if not op.halves:
        lines += [f"    if a{lead}.dtype.char == 'e':", f"        refuse_dtype(op, a{lead})"]
    # everything but plain NumPy arrays takes the road that looks closer
    ordinary = "xp is np" if op.view or op.sequence else f"xp is np and {kind} != 'V'"
    forward = f"(op_forward if {ordinary} else routed)"
    lines += _guarded([f"{targets} = {forward}(xp, {operands}{settings})"], f"({operands},)")
    if any(p.name in ("index", "indices") for p in op.settings):  # which may hold Batched arrays
        lines += [
            "    except Batchwise:",
            f"        {targets} = routed(batched, {operands}{settings})",
        ]
    for name in outputs:
        lines += [f"    if type({name}) is not ndarray:", f"        {name} = asarray({name})"]
    arrays = {n: f"a{i}" for i, n in enumerate(names)}
    if op.sequence:
        return lines + _sequence_tail(bound, arrays)
    edges = _differentiable(bound)
    if len(names) > 1 and op.dtype in ("promote", "float", "compare"):
        get = "e{i} = getattr({n}, 'edge', None)"
        fix = [f"node.fix = fixes(({''.join(n + ', ' for n in names)}), r)"]
    else:
        get = "e{i} = {n}.edge"
        fix = ["node.fix = None"]
    recorded = bool(edges) and op.dtype != "compare"
    if recorded:
        for i in edges:
            line = get.format(i=i, n=names[i])
            if not op.tensors[i].required and op.dtype not in ("promote", "float"):
                line = f"e{i} = None if {names[i]} is None else {names[i]}.edge"
            lines += [f"    {line}"]
    if not op.returns:
        lines += ["    t = new(Tensor)", "    t.array = r", f"    {AT_REST}"]
        lines += _node_source(bound, arrays, fix, "    ") if recorded else ["    t.edge = None"]
        if op.view:
            lines += [f"    note_view(t, {names[0]})"]
        return [*lines, "    return t"]
    return lines + _several_tail(bound, arrays, fix, recorded)


def _library_source(op: Op) -> str:
    """The line that finds the array library, and whether an operand is anything but NumPy's."""
    plain = " and ".join(
        f"type(a{i}) is ndarray" if p.required else f"(a{i} is None or type(a{i}) is ndarray)"
        for i, p in enumerate(op.tensors)
    )
    operands = ", ".join(f"a{i}" for i in range(len(op.tensors)))
    return f"    xp = np if {plain} else library({operands})"


def _several_tail(
    bound: Bound, arrays: dict[str, str], fix: list[str], recorded: bool
) -> list[str]:
    """Several results: one node; each differentiable result reaches it through its own pick."""
    op = bound.op
    lines = []
    for name in op.returns:
        lines += [
            f"    t_{name} = new(Tensor)",
            f"    t_{name}.array = {name}",
            f"    t_{name}.edge = None",
            f"    {AT_REST.replace('t.', f't_{name}.')}",
        ]
    if recorded:
        lines += ["    t = new(Tensor)", f"    r = {op.returns[0]}"]
        lines += _node_source(bound, arrays | {n: n for n in op.returns}, fix, "    ")
        lines += ["    if t.edge is not None:"]
        lines += [
            f"        t_{name}.edge = pick(t.edge, {i}, ({_specs_source(op)}))"
            for i, name in enumerate(op.returns)
            if name in op.differentiable
        ]
    values = ", ".join(f"t_{name}" for name in op.returns)
    return [*lines, f"    return result({values})"]


def _specs_source(op: Op) -> str:
    """Shape and dtype of each result."""
    return "".join(f"({n}.shape, {n}.dtype), " for n in op.returns)


def _sequence_tail(bound: Bound, arrays: dict[str, str]) -> list[str]:
    name = bound.op.tensors[0].name
    lines = ["    t = new(Tensor)", "    t.array = r", "    t.edge = None", f"    {AT_REST}"]
    others = {key: value for key, value in arrays.items() if key != name}
    if bound.op.rules:
        lines += [
            f"    e0 = [x if x.edge is LEAF else x.edge for x in {name}]",
            "    if tape_mode.grad and any(e is not None for e in e0):",
            "        t.edge = node = new(Node)",
            "        node.kind = bound",
            "        node.edges = tuple(e0)",
            f"        node.saved = {_saved_source(bound, others)}",
            f"        node.fix = fixes({name}, None)",
            "        node.seq = tick()",
        ]
    return [*lines, "    return t"]


def _backward(bound: Bound, *, taped: bool = False) -> list[str]:
    """`backward(F, g, node)`: run the rules whose gradients are wanted."""
    op = bound.op
    title = "backward_taped" if taped else "backward"
    lines = [f"def {title}(F, g, node):"]
    if bound.saved:
        source = "bound.rewrap(node)" if taped else "node.saved"
        lines += ["    " + "".join(f"s{i}, " for i in range(len(bound.saved))) + f"= {source}"]
    if op.returns and len(op.differentiable) > 1:
        lines += ["    g = g.filled(F)"]
    elif op.returns:
        lines += [f"    g = g.filled(F)[{op.returns.index(op.differentiable[0])}]"]

    def rule(name: str) -> str:
        needs = [f"s{bound.saved.index(n)}" for n in rule_needs(op.rules[name])]
        return f"rule_{name}({', '.join(['F', 'g', *needs])})"

    if op.sequence:
        return [*lines, f"    return {rule(op.tensors[0].name)}"]
    edges = _differentiable(bound)
    if op.joint is not None:
        first = op.tensors[edges[0]].name
        parts = [
            f"found[{edges.index(i)}]" if i in edges else "None" for i in range(len(op.tensors))
        ]
        return [*lines, f"    found = {rule(first)}", f"    return ({', '.join(parts)},)"]
    if len(op.tensors) == 1:
        return [*lines, f"    return ({rule(op.tensors[0].name)},)"]
    names = [f"e{i}" for i in range(len(op.tensors))]
    lines += [f"    {', '.join(names)} = node.edges"]
    parts = [
        f"{rule(p.name)} if e{i} is not None else None" if i in edges else "None"
        for i, p in enumerate(op.tensors)
    ]
    return [*lines, f"    return ({', '.join(parts)})"]


def _operator(bound: Bound) -> list[str]:
    """The call for `x + y`, which leaves operands it does not know to the other side."""
    lines = [f"def operator({_signature(bound.op)}):", *_call(bound)[1:]]
    if not bound.fast:  # the product of matrices
        unknown = next(i for i, line in enumerate(lines) if "require_tensors(" in line)
        lines[unknown] = "        return NotImplemented"
    return [line.replace("bound.general(", "bound.operated(") for line in lines]


def _public(bound: Bound) -> list[str]:
    """`call` with `out=`: see `out.py` for the two parameters."""
    head, *lines = _call(bound)
    given = "".join(f"{p.name}, " for p in bound.op.params)
    return [
        head.replace("):", ", _=None, out=None):"),
        "    if out is not _:",
        f"        return with_out(bound.call, {bound.op.name!r}, ({given}), {{}}, _, out)",
        *lines,
    ]


MAKERS: dict[str, Any] = {
    "call": _call,
    "public": _public,
    "operator": _operator,
    "general": _general,
    "with_number": _with_number,
    "backward": _backward,
    "backward_taped": lambda bound: _backward(bound, taped=True),
}
