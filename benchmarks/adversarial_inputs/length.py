"""Programs that are long: many lines, long lines, large literals.

``adversarial`` measures them. Nothing here knows optlint.
"""

from __future__ import annotations

from benchmarks.adversarial_inputs.cases import HEAD, TAIL, case, function, lines


@case("lines", 20_000)
def long_function(size: int) -> str:
    body = ("out = out * 0.5", "total += 1", "h = F.relu(out)", "print(total, h.shape)")
    return function(body[i % 4] for i in range(size))


@case("lines", 20_000)
def long_function_of_layers(size: int) -> str:
    body = ("h = model.fc(x)", "out = out + model.head(h)", "x = x - h", "y = y + 0 * h.sum()")
    return function(body[i % 4] for i in range(size))


@case("lines", 20_000)
def long_module_body(size: int) -> str:
    return HEAD + lines(f"value_{i} = {i} * 2 + len('x')" for i in range(size)) + TAIL


@case("lines", 20_000)
def comments_only(size: int) -> str:
    return (
        HEAD + lines(f"# the {i}th remark about an optimizer that is not there" for i in range(size)) + TAIL
    )


@case("statements", 20_000)
def one_long_line(size: int) -> str:
    return HEAD + "; ".join(f"a{i} = {i}" for i in range(size)) + "\n" + TAIL


@case("statements", 8_000)
def one_long_line_of_calls(size: int) -> str:
    return HEAD + TAIL + "; ".join(f"print(model(torch.ones({i})))" for i in range(size)) + "\n"


@case("bytes", 5_000_000)
def literal_list_of_numbers(size: int) -> str:
    return HEAD + "DATA = [\n" + lines("    1.25, 2.5, 3.75, 4.0," for _ in range(size // 26)) + "]\n" + TAIL


@case("bytes", 5_000_000)
def literal_nested_lists(size: int) -> str:
    return HEAD + "DATA = [\n" + lines("    [1, 2, 3, [4, 5]]," for _ in range(size // 23)) + "]\n" + TAIL


@case("bytes", 5_000_000)
def literal_string(size: int) -> str:
    return HEAD + 'DATA = """\n' + "optim noqa " * (size // 11) + '"""\n' + TAIL


@case("bytes", 5_000_000)
def literal_of_many_strings(size: int) -> str:
    return HEAD + "DATA = (\n" + lines("    'a part of a text'" for _ in range(size // 23)) + ")\n" + TAIL


@case("bytes", 5_000_000)
def literal_string_on_one_line(size: int) -> str:
    return HEAD + "DATA = '" + "x" * size + "'\n" + TAIL


@case("keys", 16_000)
def dict_literal(size: int) -> str:
    return HEAD + "TABLE = {\n" + lines(f"    'key {i}': {i}," for i in range(size)) + "}\n" + TAIL


@case("keys", 4_000)
def dict_of_layers(size: int) -> str:
    layers = lines(f"    'key {i}': nn.Linear({i}, 8)," for i in range(size))
    return HEAD + "TABLE = {\n" + layers + "}\nheads = nn.ModuleDict(TABLE)\n" + TAIL


@case("lists", 200)
def literals_below_the_limit(size: int) -> str:
    numbers = "1, " * 2_000
    return HEAD + lines(f"data_{i} = [{numbers}]" for i in range(size)) + TAIL
