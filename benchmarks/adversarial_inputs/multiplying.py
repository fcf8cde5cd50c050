"""Programs whose loops, calls and base classes multiply.

``adversarial`` measures them. Nothing here knows optlint.
"""

from __future__ import annotations

from benchmarks.adversarial_inputs.cases import HEAD, TAIL, case, function, lines


@case("levels", 16)
def loops_in_loops(size: int) -> str:
    return function(
        [*(" " * i + f"for i{i} in x:" for i in range(size)), " " * size + "out = out + model(x)"]
    )


@case("levels", 16)
def known_loops_in_loops(size: int) -> str:
    return function(
        [*(" " * i + f"for i{i} in (1, 2, 3):" for i in range(size)), " " * size + "out = out + model(x)"]
    )


@case("levels", 16)
def while_loops_in_loops(size: int) -> str:
    return function(
        [
            *(" " * i + f"while x.flag_{i}:" for i in range(size)),
            " " * size + "out = out + model(x)",
            *(" " * (i + 1) + "if out.sum() > 1: break" for i in reversed(range(size))),
        ]
    )


@case("loops", 800)
def loops_in_a_row(size: int) -> str:
    return function(line for i in range(size) for line in ("for b in x:", "    out = out + model(b)"))


@case("rounds", 100_000)
def loop_over_a_range(size: int) -> str:
    return function([f"for i in range({size}):", "    out = out + model(x)"])


@case("breaks", 1_000)
def loop_with_many_exits(size: int) -> str:
    return function(["while True:", *(f"    if x.flag_{i}: break" for i in range(size))])


@case("functions", 64)
def calls_with_exponential_paths(size: int) -> str:
    functions = (f"def f{i}(m, x):\n    return f{i + 1}(m, x) + f{i + 1}(m, x)\n\n" for i in range(size))
    return (
        HEAD
        + lines(functions)
        + f"def f{size}(m, x):\n    return m(x)\n\n"
        + TAIL
        + "    f0(model, x).backward()\n"
    )


@case("classes", 64)
def models_with_exponential_parts(size: int) -> str:
    classes = (
        f"class P{i}(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
        f"        self.a = P{i + 1}()\n        self.b = P{i + 1}()\n\n"
        f"    def forward(self, x):\n        return self.a(x) + self.b(x)\n\n"
        for i in range(size)
    )
    return HEAD + lines(classes) + f"P{size} = Net\n" + TAIL.replace("Net()", "P0()")


@case("functions", 16)
def mutual_recursion(size: int) -> str:
    calls = " + ".join(f"f{i}(m, x[{i}])" for i in range(size))
    functions = (f"def f{i}(m, x):\n    return {calls} + m(x)\n\n" for i in range(size))
    return HEAD + lines(functions) + TAIL + "    f0(model, x).backward()\n"


@case("functions", 400)
def call_chain(size: int) -> str:
    functions = (f"def f{i}(m, x):\n    return f{i + 1}(m, x) * 2\n\n" for i in range(size))
    return (
        HEAD
        + lines(functions)
        + f"def f{size}(m, x):\n    return m(x)\n\n"
        + TAIL
        + "    f0(model, x).backward()\n"
    )


@case("classes", 800)
def inheritance_chain(size: int) -> str:
    classes = (
        f"class C{i + 1}(C{i}):\n    def __init__(self):\n        super().__init__()\n"
        f"        self.l{i} = nn.Linear(8, 8)\n\n"
        for i in range(size)
    )
    return HEAD + "C0 = Net\n\n\n" + lines(classes) + TAIL.replace("Net()", f"C{size}()")


@case("classes", 40)
def inheritance_diamonds(size: int) -> str:
    classes = (
        f"class L{i + 1}(D{i}):\n    pass\n\n\nclass R{i + 1}(D{i}):\n    pass\n\n\n"
        f"class D{i + 1}(L{i + 1}, R{i + 1}):\n    pass\n\n"
        for i in range(size)
    )
    return HEAD + "D0 = Net\n\n\n" + lines(classes) + TAIL.replace("Net()", f"D{size}()")


@case("decorators", 400)
def decorators(size: int) -> str:
    wrap = "def wrap(f):\n    def inner(*a, **k):\n        return f(*a, **k)\n\n    return inner\n\n\n"
    return (
        HEAD + wrap + "@wrap\n" * size + "def make():\n    return Net()\n\n" + TAIL.replace("Net()", "make()")
    )
