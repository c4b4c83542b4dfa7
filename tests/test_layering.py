"""Dependency direction: who may import whom, and who may use which library."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
MAY_IMPORT = {
    "arch": {"errors"},
    "models": {"errors", "arch"},
    "rtl": {"errors", "arch"},
    "sim": {"errors", "arch", "models"},
    "sweeps": {"errors", "provenance", "systems", "lockstep", "arch", "models", "rtl", "sim"},
    "reports": {"errors", "provenance", "systems", "arch", "sweeps"},
}
MAY_NOT_USE = {
    "arch": {"numpy", "amaranth", "numba", "pandas"},
    "models": {"amaranth", "pandas"},
    "rtl": {"numba", "pandas"},
    "sim": {"amaranth", "pandas"},
    "sweeps": {"amaranth", "matplotlib", "plotly"},
    "reports": {"amaranth", "numba"},
}
# A description of hardware computes nothing; numpy is for what measures it.
HARDWARE = ("gemm", "mixpe", "int8", "floating", "deform", "dot", "lut", "m3vit")
# A reference is NumPy, but for sums of which every addition is rounded.
REFERENCE_KERNELS = ("models/floating.py",)
ROOT_MAY_IMPORT = {
    "errors.py": set(),
    "provenance.py": {"errors"},
    "systems.py": {"errors"},  # it names modules as strings and imports them on use
    "lockstep": {"errors", "systems", "arch", "models", "sim", "rtl", "stimuli"},
    "stimuli": {"errors", "arch", "models", "rtl"},
}
FILES = [p for layer in MAY_IMPORT for p in sorted((ROOT / layer).rglob("*.py"))]
ROOT_FILES = [
    (part, path)
    for part in ROOT_MAY_IMPORT
    for place in [ROOT / "src/dovetail" / part]
    for path in (sorted(place.rglob("*.py")) if place.is_dir() else [place])
]


def modules(path: Path) -> set[str]:
    """Every module that ``path`` imports, at its top or inside a function."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: import by absolute name"
            if node.module == "dovetail":  # from dovetail import models
                names |= {f"dovetail.{alias.name}" for alias in node.names}
            else:
                names.add(node.module or "")
    bare = {name for name in names if name.split(".")[0] in MAY_IMPORT}
    assert not bare, f"{path}: import dovetail.{min(bare)}, not {min(bare)}"
    return names


def parts_of_dovetail(names: set[str]) -> set[str]:
    # `from dovetail import __version__` reaches no layer.
    inner = {name.split(".")[1] for name in names if name.startswith("dovetail.")}
    return inner - {"__version__"}


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_point_down(path: Path) -> None:
    layer = path.relative_to(ROOT).parts[0]
    assert parts_of_dovetail(modules(path)) <= MAY_IMPORT[layer] | {layer}


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_a_layer_uses_only_its_libraries(path: Path) -> None:
    layer, folder, *_ = path.relative_to(ROOT).parts
    forbidden = set(MAY_NOT_USE[layer])
    if layer == "rtl" and folder in HARDWARE:
        forbidden.add("numpy")
    if layer == "models" and str(path.relative_to(ROOT)) not in REFERENCE_KERNELS:
        forbidden.add("numba")
    assert not {name.split(".")[0] for name in modules(path)} & forbidden


@pytest.mark.parametrize(("part", "path"), ROOT_FILES, ids=lambda value: getattr(value, "name", ""))
def test_the_root_package_stands_above_or_below_the_layers(part: str, path: Path) -> None:
    assert parts_of_dovetail(modules(path)) <= ROOT_MAY_IMPORT[part] | {part}
