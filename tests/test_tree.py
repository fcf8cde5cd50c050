"""The tree that is built from Python's ``ast`` is the tree that libcst's parser would give."""

from __future__ import annotations

import ast
import textwrap
from pathlib import Path

import libcst as cst
import pytest

from optlint.syntax import expressions, nodes, patterns, source_module, statements
from optlint.syntax.source_module import Slice, SourceModule
from tests.trees import differences, differences_in

FIXTURES = Path(__file__).parent / "fixtures"

#: Statement by statement, what Python's grammar has, and how people write it.
ODD = (Path(__file__).parent / "odd_code.txt").read_text("utf-8").split("---\n")

BLOCKS = '''
class A(B):  # a class
    # above the first

    """Doc
  string
    """  # behind it
    x = 1; y = 2  # two

    # above the decorators
    @one  # first
    # between
    @two(
        1,
    )
    # below
    def f(self, a):  # the method

        # above
        if a:
            pass
            # in the if

        # before elif
        elif (b):
            x = """
        text
    text
"""         + c
          # less than the block
            y = f(a,
        b,
              # a comment
                  c)
        # before else
        else:  # else
            z = a \\
        + b
            # in the else
        # in the method
    # in the class

    async def g(self): return 1

    def h(self):
        try:
            a
            # in the try
        except A:  # handler
            b
        # before the second
        except B as e: c
        else:
            d
        # before finally
        finally:
            e
            # at the end
        for x in y:
            while z:
                q
                # deep
            else:
                r
          # odd
        else:
            s
        with a, \\
             b:
            def inner():
                return 1

            # in the with
        match x:
            # above the case
            case 1:
                a

                # in the case
            case 2: b
            # in the match
        return 2
    # no statement follows
# nor here
if x:
    a
elif y:
    b
elif z: c
else:
    if w:
        d
    else:
        e
for x in y:
\tif x:
\t\ta

\t# tab
\telse:
\t\tb
'''


def _parses(source: str) -> bool:
    try:
        ast.parse(source)
    except SyntaxError:
        return False
    return True


@pytest.mark.parametrize("source", ODD)
def test_odd_code_gives_the_same_nodes(source: str) -> None:
    if not _parses(source):
        pytest.skip("needs a newer Python")
    assert list(differences(source)) == []


@pytest.mark.parametrize("source", ODD)
def test_odd_code_in_a_method_gives_the_same_nodes(source: str) -> None:
    method = "class A:\n  def f(self):\n" + textwrap.indent(source, "        ") + "        # end\n  # end\n"
    if not _parses(method):
        pytest.skip("needs a newer Python, or a place outside of functions")
    assert list(differences(method)) == []


def test_comments_and_blank_lines_belong_to_the_same_statements() -> None:
    assert list(differences(BLOCKS)) == []


def test_so_they_do_with_other_line_ends_and_without_a_last_one() -> None:
    assert list(differences(BLOCKS.replace("\n", "\r\n").strip())) == []


@pytest.mark.parametrize("path", sorted(FIXTURES.rglob("*.py"))[::60], ids=lambda path: path.stem)
def test_fixtures_give_the_same_nodes(path: Path) -> None:
    assert list(differences(path.read_text("utf-8"))) == []


def test_the_comparison_finds_what_is_not_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    real = cst.parse_module
    monkeypatch.setattr(cst, "parse_module", lambda text: real(text.replace("b", "c")))
    assert len(list(differences("x = a + b\n"))) > 0


def test_the_body_of_a_function_is_made_when_it_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    part = SourceModule("a.py", "def f():\n    return g(1)\n").slices[0]
    (function,) = part.statements()
    assert not hasattr(function, "made")
    assert isinstance(function, nodes.FunctionDef)
    assert isinstance(function.body.body[0], nodes.SimpleStatementLine)
    assert function.body is function.body
    assert part.code(function.body.body[0].body[0].value.args[0]) == "1"


def test_nodes_are_equal_when_they_say_the_same() -> None:
    texts = ("f(a, *b)", "f( a, *b )", "f(a, **b)", "f(a, b)", "f(a)", "g(a, *b)", "'f(a)'")
    one, *others = (SourceModule("a.py", f"{text}\n").slices[0].statements()[0] for text in texts)
    assert [one.deep_equals(other) for other in (one, *others)] == [True, True, *[False] * 5]


def test_signs_are_written_as_libcst_does() -> None:
    kinds = [kind for kind in vars(nodes).values() if isinstance(kind, type) and getattr(kind, "text", "")]
    assert len(kinds) > 40
    for kind in kinds:
        assert cst.Module([]).code_for_node(getattr(cst, kind.__name__)()) == kind.text


@pytest.mark.parametrize("source", [*ODD, BLOCKS])
def test_what_libcst_reads_becomes_the_same_nodes(source: str) -> None:
    if not _parses(source):
        pytest.skip("needs a newer Python")
    module = SourceModule("a.py", source)
    module.slices = (Slice(module, 1, len(module.lines), ()),)
    assert list(differences_in(module)) == []
    assert module.slices[0].problem is None


def test_what_libcst_knows_and_we_do_not_is_not_analysed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(nodes, "Await")
    module = SourceModule("a.py", "x = 1\nawait x\n")
    whole = Slice(module, 1, len(module.lines), ())
    assert not whole.statements()
    assert whole.problem is not None


def test_an_f_string_of_several_lines_gives_the_same_nodes() -> None:
    # In a method libcst takes the indentation out of the text of its expressions, but not out of its other lines.
    assert list(differences("f'''\n  {a +\n   b} {c}\n{\nd}'''\n")) == []


def test_long_chains_are_too_deep() -> None:
    (part,) = SourceModule("a.py", "x = " + " and ".join(["a"] * 10_000) + "\n").slices
    assert not part.statements()
    assert part.problem is not None


LATER = {
    "an expression": "x = 1\nwith open(p) as f:\n    y = (n := f(x))\n",
    "a pattern": "match x:\n    case {'a': 1}:\n        y\n",
    "a statement": "while x:\n    assert y\n",
    "in the body of a function": "class A:\n    def f(self, a):\n        assert a\n",
    "in an f-string": "f'{(a := b)}'\n",
}


@pytest.fixture
def later_python(monkeypatch: pytest.MonkeyPatch) -> None:
    """A Python whose ``ast`` has kinds of nodes that the builders do not know."""
    monkeypatch.setattr(source_module, "KNOWN_PYTHON", (3, 0))
    monkeypatch.delitem(expressions._EXPRESSIONS, ast.NamedExpr)
    monkeypatch.delitem(statements._SMALL, ast.Assert)
    monkeypatch.delitem(patterns._PATTERNS, ast.MatchMapping)


@pytest.mark.usefixtures("later_python")
@pytest.mark.parametrize("source", LATER.values(), ids=LATER)
def test_what_a_later_python_adds_is_left_to_libcst(source: str) -> None:
    (*_, part) = SourceModule("a.py", source).slices
    made = part.statements()
    assert part.problem is None
    assert [type(node.place).__module__.partition(".")[0] for node in made] == ["libcst"]
    assert part.code(made[0]) in source
    assert part.span(made[0]).line == part.first_line


@pytest.mark.usefixtures("later_python")
def test_what_libcst_does_not_know_either_is_a_note(monkeypatch: pytest.MonkeyPatch) -> None:
    module = SourceModule("a.py", "assert x\n")
    monkeypatch.setattr(module, "lines", ["assert x later", ""])
    (part,) = module.slices
    assert not part.statements()
    assert module.problems() == [
        source_module.ParseProblem(1, "Python accepts this but libcst cannot parse it; not analysed")
    ]


@pytest.mark.usefixtures("later_python")
def test_all_else_of_a_later_python_is_built() -> None:
    (part,) = SourceModule("a.py", "def f(a):\n    return f'{a}'\n").slices
    assert list(differences(BLOCKS)) == []
    assert [type(node).__module__ for node in part.statements()] == ["optlint.syntax.nodes"]


def test_many_literals_side_by_side_do_not_take_for_ever() -> None:
    words = " ".join(f'"a sentence of an error message, number {number} "' for number in range(12))
    assert list(differences(f"raise ValueError({words})\n")) == []
