"""A user's own templates run in a sandbox: whatever stands in one, text or an error of our own comes out."""

from __future__ import annotations

from pathlib import Path

import pytest
from fuzzing import fuzz, watched
from hypothesis import strategies as st
from render_cases import make_deployment, make_launch

from servespec.errors import ServespecError
from servespec.render import render

PIECES = st.one_of(
    st.sampled_from(
        ["{{ ", " }}", "{% ", " %}", "{# ", " #}", "{{", "}}", "{%", "%}", "if ", "endif", "for x in ", "endfor", "set a = ", "include ", "import ", "extends ",
         "macro m() ", "endmacro", "block b ", "endblock", "raw ", "endraw", "call ", "filter ", "| sh", "| py", "| json", "| unit_text", "| comment", "| tojson",
         "launch", "words", "environment", "image", "name", "header", "self", "loop", "range(3)", "range(10**9)", "lipsum(9)", "cycler", "namespace()", "()", "[0]",
         "''.__class__", ".__mro__", ".__subclasses__()", ".__globals__", "|attr('__class__')", "'a' * 10**9", "2 ** 2 ** 30", "'%s' % x", "'{0.__class__}'.format(1)",
         "\0", "\x1b", "é", "'", '"', "\\", "-", "~", "..", "/etc/passwd", "'../../../etc/passwd'", "true", "1", ",", "\n"]
    ),
    st.text(max_size=4),
)  # fmt: skip
TEMPLATES = sorted(
    path.relative_to(folder).as_posix()
    for folder in [Path(__file__).parents[2] / "servespec" / "templates"]
    for path in folder.rglob("*.j2")
)


def rendered(own: Path, template: str, text: str) -> list[str]:
    path = own / template
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8", errors="replace")
    texts = []
    for name in ("shell", "docker", "offline", "systemd", "quadlet", "client", "env", "batch"):
        try:
            made = render(make_deployment(), name, launch=make_launch(), templates=own)
        except (ServespecError, ValueError) as error:
            assert isinstance(error, ServespecError) or "has no header" in str(error)
            continue
        texts += [artefact.text for artefact in made]
    path.unlink()
    return texts


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("templates")


@fuzz(template=st.sampled_from(TEMPLATES), text=st.lists(PIECES, max_size=10).map("".join), share=0.4)
def test_a_template_of_any_text(own: Path, template: str, text: str) -> None:
    for made in rendered(own, template, text):
        assert "root:x:0:0" not in made


@pytest.mark.parametrize("expression", [
    "''.__class__.__mro__[1].__subclasses__()", "self.__init__.__globals__", "cycler.__init__.__globals__.os.popen('id').read()", "lipsum.__globals__",
    "launch.__class__", "launch.environment.update({'a': 1})", "('%s' % ''.__class__)", "'{0.__class__.__mro__}'.format('')", "(''|attr('__class__'))", "range(10**9)|list"])  # fmt: skip
@pytest.mark.parametrize("template", TEMPLATES)
def test_nothing_of_python_is_reached_from_a_template(own: Path, template: str, expression: str) -> None:
    with watched("test_nothing_of_python_is_reached_from_a_template"):
        for made in rendered(own, template, "{{ " + expression + " | json }}"):
            assert "class '" not in made and "uid=" not in made and "<module" not in made
