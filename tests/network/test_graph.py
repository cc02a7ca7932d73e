import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.network.graph import INPUT, CycleError, Graph, Node, ordered


def chain(*names):
    nodes, before = [], INPUT
    for i, name in enumerate(names, 1):
        nodes.append(Node(f"n{i}", name, (before,)))
        before = f"n{i}"
    return Graph(tuple(nodes), before)


def test_chain():
    graph = chain("a", "b", "c")
    assert graph.is_chain
    assert graph.live == {"n1", "n2", "n3"}
    assert graph.find("b").id == graph.find("n2").id == "n2"
    assert graph.find("d") is None
    assert graph.ancestors("n3") == {"n1", "n2", INPUT}
    assert graph.descendants("n1") == {"n2", "n3"}


def test_a_graph_checks_itself():
    with pytest.raises(ValueError, match="used twice"):
        Graph((Node("n1", "a", (INPUT,)), Node("n2", "a", ("n1",))), "n2")
    with pytest.raises(ValueError, match="not computed yet"):
        Graph((Node("n1", "a", ("n2",)), Node("n2", "b", (INPUT,))), "n2")
    with pytest.raises(ValueError, match="not in the graph"):
        Graph((), "n1")


def test_insert_and_remove_are_inverse():
    graph = chain("a", "b", "c")
    more = graph.insert(Node("n9", "x", ("n1",)), 1, [("n2", 0)])
    assert more.names == ("a", "x", "b", "c")
    assert more["n2"].inputs == ("n9",)
    assert more.remove("n9") == graph


def test_removing_the_output_moves_it():
    assert chain("a", "b").remove("n2").output == "n1"
    assert chain("a").remove("n1").output == INPUT


def test_rewire_makes_dead_ends_and_refuses_cycles():
    graph = chain("a", "b", "c").rewire("n3", ("n1",))
    assert graph.live == {"n1", "n3"}
    assert not graph.is_chain
    with pytest.raises(CycleError):
        graph.rewire("n1", ("n3",))


def test_order_is_kept_where_possible():
    nodes = [Node("n1", "a", ("n3",)), Node("n2", "b", (INPUT,)), Node("n3", "c", (INPUT,))]
    assert ordered(nodes, "n1").names == ("b", "c", "a")


@given(st.data())
def test_any_acyclic_wiring_is_ordered(data):
    count = data.draw(st.integers(1, 8))
    nodes = [
        Node(
            f"n{i}",
            f"l{i}",
            tuple(
                data.draw(
                    st.lists(
                        st.sampled_from([INPUT, *(f"n{j}" for j in range(i))]),
                        min_size=1,
                        max_size=3,
                    )
                )
            ),
        )
        for i in range(count)
    ]
    shuffled = data.draw(st.permutations(nodes))
    graph = ordered(list(shuffled), f"n{count - 1}")  # its own checks find a wrong order
    assert {n.id for n in graph} == {n.id for n in nodes}
    for node in graph:
        assert node.id not in graph.ancestors(node.id)
