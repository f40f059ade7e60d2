from pathlib import Path

import pytest
from render_cases import make_deployment, make_launch

from servespec.errors import RenderError
from servespec.render import render


def own(tmp_path: Path, text: str) -> str:
    (tmp_path / "common").mkdir(exist_ok=True)
    (tmp_path / "common" / "serve.sh.j2").write_text(text)
    (made,) = render(make_deployment(), "shell", launch=make_launch(flags=("a b",)), templates=tmp_path)
    return made.text


def test_a_template_of_the_users_own_goes_first(tmp_path: Path) -> None:
    assert "exec vllm serve 'a b'" in own(tmp_path, "{{ header | comment }}exec {{ first | sh_command }}\n")


def test_a_value_without_a_quoting_filter_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RenderError, match="without a quoting filter"):
        own(tmp_path, "{{ header | comment }}exec {{ first[0] }}\n")


def test_templates_run_in_a_sandbox(tmp_path: Path) -> None:
    with pytest.raises(RenderError, match=r"unsafe|without a quoting"):
        own(tmp_path, "{{ header | comment }}{{ first.__class__.__mro__ | py }}\n")


def test_a_mistake_in_a_template_names_file_and_line(tmp_path: Path) -> None:
    with pytest.raises(RenderError, match=r"common/serve.sh.j2:2"):
        own(tmp_path, "{{ header | comment }}\n{{ nothing | }}\n")


def test_an_unknown_variable_is_an_error_and_not_an_empty_word(tmp_path: Path) -> None:
    with pytest.raises(RenderError, match="undefined"):
        own(tmp_path, "{{ header | comment }}{{ nothing | sh }}\n")
