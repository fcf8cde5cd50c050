"""Programs of many files that import each other.

``adversarial`` measures them. Nothing here knows optlint.
"""

from __future__ import annotations

from benchmarks.adversarial_inputs.cases import HEAD, MAIN, TAIL, Files, case, lines


@case("files", 2_000)
def import_chain(size: int) -> Files:
    files = {f"m{i}.py": f"from m{i + 1} import Net\n\noptimizer = None\n" for i in range(size)}
    return {
        **files,
        f"m{size}.py": HEAD,
        MAIN: "import torch\n" + HEAD.split("\n\n")[0] + "\nfrom m0 import Net\n" + TAIL,
    }


@case("files", 2_000)
def import_chain_of_names(size: int) -> Files:
    files = {f"m{i}.py": f"import m{i + 1}\n\nclass Net(m{i + 1}.Net):\n    pass\n" for i in range(size)}
    return {**files, f"m{size}.py": HEAD, MAIN: HEAD + "from m0 import Net\n" + TAIL}


@case("files", 1_000)
def import_fan(size: int) -> Files:
    files = {f"m{i}.py": HEAD.replace("Net", f"Net{i}") for i in range(size)}
    imports = lines(f"from m{i} import Net{i}" for i in range(size))
    uses = lines(f"model = Net{i}()" for i in range(size))
    return {**files, MAIN: HEAD + imports + uses + TAIL}


@case("files", 400)
def star_import_fan(size: int) -> Files:
    files = {f"m{i}.py": HEAD.replace("Net", f"Net{i}") for i in range(size)}
    imports = lines(f"from m{i} import *" for i in range(size))
    uses = lines(f"model = Net{i}()" for i in range(size))
    return {**files, MAIN: HEAD + imports + uses + TAIL}


@case("files", 64)
def star_imports_that_multiply(size: int) -> Files:
    files = {
        f"{side}{i}.py": f"from l{i + 1} import *\nfrom r{i + 1} import *\n"
        for i in range(size)
        for side in "lr"
    }
    return {
        **files,
        f"l{size}.py": HEAD,
        f"r{size}.py": HEAD,
        MAIN: "from l0 import *\nfrom r0 import *\n" + TAIL,
    }


@case("files", 80)
def files_that_all_import_each_other(size: int) -> Files:
    imports = lines(f"import m{i}" for i in range(size))
    files = {
        f"m{i}.py": HEAD + imports + f"class Net{i}(m{(i + 1) % size}.Net):\n    pass\n" for i in range(size)
    }
    return {**files, MAIN: HEAD + imports + "from m0 import Net0\n" + TAIL.replace("Net()", "Net0()")}


@case("names", 8_000)
def import_of_many_names(size: int) -> Files:
    names = ", ".join(f"v{i}" for i in range(size))
    values = lines(f"v{i} = {i}" for i in range(size))
    return {"values.py": values, MAIN: HEAD + f"from values import {names}\n" + TAIL}
