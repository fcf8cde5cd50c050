"""Programs whose expressions are deep.

``adversarial`` measures them. Nothing here knows optlint.
"""

from __future__ import annotations

from benchmarks.adversarial_inputs.cases import HEAD, TAIL, case, function, lines


@case("levels", 4_000)
def method_chain(size: int) -> str:
    return function(["out = model(x)" + ".relu()" * size])


@case("levels", 390)
def method_chain_below_the_limit(size: int) -> str:
    return function(["out = model(x)" + ".relu()" * (size // 2)])


@case("levels", 90)
def nested_calls(size: int) -> str:
    return function(["out = " + "F.relu(" * size + "model(x)" + ")" * size])


@case("levels", 180)
def nested_brackets(size: int) -> str:
    return HEAD + "DATA = " + "[" * size + "nn.Linear(8, 8)" + "]" * size + "\n" + TAIL


@case("levels", 2_000)
def brackets_that_python_refuses(size: int) -> str:
    return HEAD + "DATA = " + "(" * size + ")" * size + "\n" + TAIL


@case("levels", 80)
def nested_lambdas(size: int) -> str:
    return HEAD + "f = " + "lambda x: (" * size + "x" + ")" * size + "\ng = f(1)" + "(1)" * (size // 2) + TAIL


@case("levels", 16)
def nested_comprehensions(size: int) -> str:
    return HEAD + "x = " + "[" * size + "nn.Linear(8, 8)" + " for _ in range(9)]" * size + "\n" + TAIL


@case("loops", 16)
def comprehension_with_many_loops(size: int) -> str:
    loops = "".join(f" for i{i} in range(3)" for i in range(size))
    return HEAD + f"x = [nn.Linear(8, 8){loops}]\n" + TAIL


@case("levels", 80)
def nested_functions(size: int) -> str:
    return HEAD + lines(
        [
            *(" " * i + f"def f{i}(x):" for i in range(size)),
            " " * size + "return Net()",
            *(" " * i + f"return f{i}(x)" for i in reversed(range(1, size))),
            *TAIL.replace("Net()", "f0(1)").splitlines(),
        ]
    )
