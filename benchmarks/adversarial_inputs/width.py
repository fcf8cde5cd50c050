"""Programs that hold many of one thing: classes, optimizers, layers, findings, arguments.

``adversarial`` measures them. Nothing here knows optlint.
"""

from __future__ import annotations

from benchmarks.adversarial_inputs.cases import HEAD, TAIL, case, function, lines


@case("classes", 4_000)
def many_classes(size: int) -> str:
    classes = (
        f"class Net{i}(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
        f"        self.fc = nn.Linear({i}, 8)\n\n    def forward(self, x):\n        return self.fc(x)\n\n"
        for i in range(size)
    )
    return HEAD + lines(classes) + TAIL


@case("classes", 2_000)
def many_classes_all_trained(size: int) -> str:
    classes = (
        f"class Net{i}(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
        f"        self.fc = nn.Linear({i}, 8)\n\n    def forward(self, x):\n        return self.fc(x)\n\n"
        for i in range(size)
    )
    uses = (
        f"n{i} = Net{i}()\no{i} = torch.optim.Adam(n{i}.parameters())\nn{i}(x).sum().backward()\no{i}.step()\n"
        for i in range(size)
    )
    return HEAD + lines(classes) + "x = torch.ones(8)\n" + lines(uses)


@case("functions", 8_000)
def many_functions(size: int) -> str:
    functions = (
        f"def train_{i}(model, x):\n    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)\n"
        "    model(x).sum().backward()\n    optimizer.step()\n\n"
        for i in range(size)
    )
    return HEAD + lines(functions) + TAIL


@case("methods", 10_000)
def many_methods(size: int) -> str:
    methods = (
        f"    def method_{i}(self, x):\n        return self.head(x.detach()) + {i}\n\n" for i in range(size)
    )
    return HEAD.rstrip("\n") + "\n\n" + lines(methods) + "\n" + TAIL


@case("methods", 2_000)
def many_methods_in_a_chain(size: int) -> str:
    methods = (
        f"    def method_{i}(self, x):\n        return self.method_{i + 1}(x) + {i}\n\n" for i in range(size)
    )
    last = f"    def method_{size}(self, x):\n        return self.head(x)\n\n"
    return (
        HEAD.rstrip("\n") + "\n\n" + lines(methods) + last + TAIL + "    model.method_0(x).sum().backward()\n"
    )


@case("optimizers", 800)
def many_optimizers(size: int) -> str:
    body = (
        f"o{i} = torch.optim.SGD(model.parameters(), lr={i}); o{i}.zero_grad(); o{i}.step()"
        for i in range(size)
    )
    return function(body)


@case("models", 800)
def many_models_and_optimizers(size: int) -> str:
    body = (
        line
        for i in range(size)
        for line in (
            f"m{i} = Net()",
            f"o{i} = torch.optim.SGD(m{i}.parameters(), lr=0.1)",
            f"F.mse_loss(m{i}(x), y).backward()",
            f"o{i}.step()",
        )
    )
    return function(body)


@case("models", 800)
def many_models_one_optimizer(size: int) -> str:
    models = (f"m{i} = Net()" for i in range(size))
    lists = (f"parameters += list(m{i}.parameters())" for i in range(size))
    uses = (f"total = total + m{i}(x)" for i in range(size))
    body = [*models, "parameters = []", *lists, *uses, "joint = torch.optim.SGD(parameters, lr=0.1)"]
    return function([*body, "total.sum().backward()", "joint.step()"])


@case("groups", 1_600)
def many_groups(size: int) -> str:
    groups = "".join(f"{{'params': m.fc.parameters(), 'lr': {i}}}, " for i in range(size))
    return HEAD + f"m = Net()\no = torch.optim.SGD([{groups}], lr=0.1)\n" + TAIL


@case("layers", 3_200)
def many_layers(size: int) -> str:
    layers = lines(f"        self.l{i} = nn.Linear(8, 8)" for i in range(size))
    calls = lines(f"        x = self.l{i}(x)" for i in range(size))
    deep = (
        "class Deep(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
        f"{layers}\n    def forward(self, x):\n{calls}        return x\n\n"
    )
    return HEAD + deep + TAIL.replace("Net()", "Deep()")


@case("layers", 3_200)
def sequential(size: int) -> str:
    return HEAD + "body = nn.Sequential(" + "nn.Linear(8, 8), " * size + ")\n" + TAIL.replace("Net()", "body")


@case("layers", 12_800)
def layers_in_a_loop(size: int) -> str:
    return (
        HEAD
        + "layers = nn.ModuleList()\n"
        + f"for i in range({size}):\n    layers.append(nn.Linear(8, 8))\n"
        + TAIL.replace("Net()", "nn.Sequential(*layers)")
    )


@case("steps", 1_600)
def many_steps(size: int) -> str:
    return HEAD + TAIL + lines("    model(x).sum().backward(); optimizer.step()" for _ in range(size))


@case("findings", 1_600)
def many_findings(size: int) -> str:
    return HEAD + lines(f"o{i} = torch.optim.SGD([], lr=0.1)" for i in range(size)) + TAIL


@case("findings", 1_600)
def many_findings_in_one_function(size: int) -> str:
    return function(f"o{i} = torch.optim.SGD([], lr=0.1)" for i in range(size))


@case("comments", 8_000)
def many_suppressions(size: int) -> str:
    return HEAD + lines(f"o{i} = torch.ones(1)  # noqa: OPT101, E501" for i in range(size)) + TAIL


@case("comments", 8_000)
def many_bare_suppressions(size: int) -> str:
    return HEAD + lines(f"o{i} = {i}  # noqa" for i in range(size)) + TAIL


@case("arguments", 8_000)
def many_arguments(size: int) -> str:
    names = ", ".join(f"a{i}=None" for i in range(size))
    values = ", ".join(f"a{i}={i}" for i in range(size))
    return HEAD + f"def wide({names}):\n    return Net()\n\n\n" + TAIL.replace("Net()", f"wide({values})")


@case("options", 2_000)
def argument_parser(size: int) -> str:
    options = lines(
        f"parser.add_argument('--option-{i}', type=int, default={i}, help='what {i} does')"
        for i in range(size)
    )
    return HEAD + "import argparse\nparser = argparse.ArgumentParser()\n" + options + TAIL
