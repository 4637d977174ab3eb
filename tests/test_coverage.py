"""Where the tests of each module are: in a file of its name, or in one whose docstring names it."""

import ast
import pathlib

import lst_tf2

PACKAGE, TESTS = pathlib.Path(lst_tf2.__file__).parent, pathlib.Path(__file__).parent


def test_every_module_has_its_tests():
    files = sorted(TESTS.rglob("test_*.py"))
    told = "\n".join(ast.get_docstring(ast.parse(path.read_text())) or "" for path in files)
    names = {path.name for path in files}
    modules = [path.relative_to(PACKAGE) for path in PACKAGE.rglob("*.py")]
    untold = [
        str(module)
        for module in modules
        if module.name != "__init__.py"
        and f"test_{module.name}" not in names
        and f"`{module.as_posix()}`" not in told
    ]
    assert not untold
