"""Programs that branch often or deeply.

``adversarial`` measures them. Nothing here knows optlint.
"""

from __future__ import annotations

from benchmarks.adversarial_inputs.cases import HEAD, TAIL, case, function, lines


@case("branches", 4_000)
def elif_chain(size: int) -> str:
    return function(f"{'el' if i else ''}if model.kind == {i}: out = out * {i}" for i in range(size))


@case("branches", 4_000)
def elif_chain_of_models(size: int) -> str:
    branches = lines(
        f"{'el' if i else ''}if args.model == 'm{i}':\n    chosen = nn.Linear({i}, 8)" for i in range(size)
    )
    return HEAD + "chosen = Net()\n" + branches + TAIL.replace("Net()", "chosen")


@case("cases", 4_000)
def match_cases(size: int) -> str:
    cases = lines(f"    case {i}:\n        chosen = nn.Linear({i}, 8)" for i in range(size))
    return HEAD + "chosen = Net()\nmatch args.model:\n" + cases + TAIL.replace("Net()", "chosen")


@case("branches", 2_000)
def ifs_in_a_row(size: int) -> str:
    return function(line for i in range(size) for line in (f"if model.flag_{i}:", f"    out = out * {i}"))


@case("branches", 2_000)
def ifs_in_a_row_that_choose(size: int) -> str:
    return function(
        line for i in range(size) for line in (f"if x.flag_{i}:", "    model = Net()", "out = out + model(x)")
    )


@case("levels", 1_000)
def nested_ifs(size: int) -> str:
    """Python's own parser refuses more than 99 levels."""
    return function([*(" " * i + f"if model.flag_{i}:" for i in range(size)), " " * size + "out = out * 2"])


@case("levels", 80)
def nested_ifs_that_python_accepts(size: int) -> str:
    return function(
        [
            *(" " * i + f"if model.flag_{i}:" for i in range(size)),
            " " * size + "out = out * 2",
            *(" " * i + f"else: out = out * {i}" for i in reversed(range(size))),
        ]
    )


@case("levels", 32)
def nested_ifs_with_returns(size: int) -> str:
    return function(
        [
            *(" " * i + f"if model.flag_{i}:" for i in range(size)),
            " " * size + "return optimizer.step()",
            *(" " * i + f"model.fc = nn.Linear({i}, 8)" for i in reversed(range(1, size))),
        ]
    )


@case("levels", 80)
def nested_tries(size: int) -> str:
    return function(
        [
            *(" " * i + "try:" for i in range(size)),
            " " * size + "out = model(x)",
            *(" " * i + f"except E{i}: out = out * {i}" for i in reversed(range(size))),
        ]
    )


@case("levels", 80)
def nested_withs(size: int) -> str:
    return function(
        [
            *(" " * i + f"with torch.autocast('cuda') as c{i}:" for i in range(size)),
            " " * size + "out = model(x)",
        ]
    )


@case("statements", 2_000)
def tries_in_a_row(size: int) -> str:
    return function(
        line
        for i in range(size)
        for line in ("try:", "    out = model(x)", f"except E{i}:", "    total += 1")
    )


@case("statements", 2_000)
def early_returns(size: int) -> str:
    return function(f"if x.flag_{i}: return optimizer.zero_grad()" for i in range(size))


@case("operands", 4_000)
def boolean_chain(size: int) -> str:
    return function(["flag = " + " and ".join(f"model.flag_{i}" for i in range(size))])


@case("operands", 390)
def boolean_chain_below_the_limit(size: int) -> str:
    return function(["flag = " + " or ".join(f"model.flag_{i}" for i in range(size))])


@case("operands", 4_000)
def sum_of_terms(size: int) -> str:
    return function(["out = out + " + " + ".join(f"model(x) * {i}" for i in range(size))])


@case("operands", 390)
def sum_of_terms_below_the_limit(size: int) -> str:
    return function(["out = out + " + " + ".join(f"model(x) * {i}" for i in range(size))])


@case("choices", 90)
def conditional_expressions(size: int) -> str:
    choices = "".join(f"nn.Linear({i}, 8) if args.n == {i} else " for i in range(size))
    return HEAD + f"chosen = {choices}Net()\n" + TAIL.replace("Net()", "chosen")
