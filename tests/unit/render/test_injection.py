"""No string of a spec can be anything but a string in an artefact: every format is read back by its own parser."""

import ast
import csv
import json
import os
import re
import shlex
import subprocess
import unicodedata
from collections.abc import Iterator

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from render_cases import COMPOSE, make_deployment, make_launch
from ruamel.yaml import YAML

from servespec.errors import RenderError
from servespec.render import Artefact, render

BAIT = st.sampled_from(
    [
        "'; touch /tmp/pwned; '",
        '"$(touch /tmp/pwned)"',
        "`id`",
        "${HOME}",
        "$HOME",
        "$$",
        "a\nb: c",
        "yes",
        "0o17",
        "22:22",
        "- x",
        "# x",
        "{{ 7 * 7 }}",
        "{% raw %}",
        "\\",
        "'''",
        '"""',
        "%n",
        "!!python/object/apply:os.system [id]",
        "&a *a",
        "\u2028",
        "\x85",
        "=1",
        ".5",
        "1e3",
        "~",
        "",
        " ",
        "--flag",
    ]
)
HOSTILE = st.one_of(BAIT, st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=20))
SLOW = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def one(artefacts: tuple[Artefact, ...], ending: str) -> str:
    return next(artefact.text for artefact in artefacts if artefact.path.endswith(ending))


def shell_environment(text: str) -> dict[str, str]:
    """What the assignments of a script come to, by a real shell; the command itself is printed instead."""
    body = text.split("\nexec ", 1)[0]
    done = subprocess.run(
        ["/bin/sh", "-c", body + "\nenv -0"],
        capture_output=True,
        env={"PATH": os.environ["PATH"]},
        check=True,
    )
    return dict(item.split("=", 1) for item in done.stdout.decode().split("\0") if "=" in item)


def shell_command(text: str, program: str) -> list[str]:
    """The words that the script's command gets, by a real shell in which a function stands for the program."""
    body = text.replace(f"\nexec {program}", "\nshow", 1)
    script = 'show() { for word in "$@"; do printf "%s\\0" "$word"; done; }\n' + body
    done = subprocess.run(
        ["/bin/sh", "-c", script], capture_output=True, env={"PATH": os.environ["PATH"]}, check=True
    )
    return done.stdout.decode().split("\0")[:-1]


@SLOW
@given(st.lists(HOSTILE, min_size=1, max_size=4))
def test_a_shell_script_starts_the_server_with_exactly_these_words(words: list[str]) -> None:
    launch = make_launch(flags=tuple(words), environment={"MOTTO": words[0]})
    text = one(render(make_deployment(), "shell", launch=launch), ".sh")
    assert shell_command(text, "vllm") == ["serve", *words]
    assert shell_environment(text)["MOTTO"] == words[0]


@SLOW
@given(st.lists(HOSTILE, min_size=1, max_size=4), HOSTILE)
def test_a_docker_script_hands_over_exactly_these_words(words: list[str], value: str) -> None:
    launch = make_launch(container_flags=tuple(words), environment={"MOTTO": value}, gpu_kind="cpu")
    text = one(render(make_deployment(), "docker", launch=launch), ".docker.sh")
    found = shell_command(text, '"$engine"')
    assert found[-len(words) :] == words
    assert f"MOTTO={value}" in found


@SLOW
@given(st.lists(HOSTILE, min_size=1, max_size=4), HOSTILE)
def test_compose_holds_exactly_these_words_for_every_yaml_reader(words: list[str], value: str) -> None:
    launch = make_launch(
        container_flags=tuple(words), environment={"MOTTO": value}, mounts=((value, "/models/m"),)
    )
    text = one(render(make_deployment(), "compose", launch=launch), ".compose.yaml")
    documents = [yaml.safe_load(text), YAML(typ="safe", pure=True).load(text), YAML(typ="safe").load(text)]
    for document in documents:
        COMPOSE.validate(document)
        (service,) = document["services"].values()
        assert [word.replace("$$", "$") for word in service["command"]] == words
        assert service["environment"]["MOTTO"].replace("$$", "$") == value
        # An odd run of dollars would be one that compose interpolates.
        assert all(len(run) % 2 == 0 for word in service["command"] for run in dollars(word))


def dollars(word: str) -> Iterator[str]:
    return (run for run in "".join(c if c == "$" else " " for c in word).split())


@SLOW
@given(st.dictionaries(st.from_regex(r"[a-z][a-z-]{0,9}", fullmatch=True), HOSTILE, min_size=1, max_size=4))
def test_a_configuration_file_holds_exactly_these_values(values: dict[str, str]) -> None:
    text = one(render(make_deployment(), "config", launch=make_launch(config=values)), ".config.yaml")
    assert yaml.safe_load(text) == values
    assert YAML(typ="safe", pure=True).load(text) == values


@SLOW
@given(HOSTILE, st.sampled_from(["vllm", "sglang"]))
def test_an_offline_program_holds_exactly_these_values(value: str, engine: str) -> None:
    deployment = make_deployment(engine)
    launch = make_launch(engine=engine, offline={"model": value}, environment={"MOTTO": value})
    program = ast.parse(one(render(deployment, "offline", launch=launch), ".offline.py"))
    strings = {node.value for node in ast.walk(program) if isinstance(node, ast.Constant)}
    assert value in strings
    calls = {ast.unparse(node.func) for node in ast.walk(program) if isinstance(node, ast.Call)}
    plain = ast.parse(
        one(render(deployment, "offline", launch=make_launch(engine=engine, environment={"A": "b"})), ".py")
    )
    assert calls == {ast.unparse(node.func) for node in ast.walk(plain) if isinstance(node, ast.Call)}


@SLOW
@given(HOSTILE)
def test_argv_is_json_with_exactly_these_words(word: str) -> None:
    text = one(render(make_deployment(), "argv", launch=make_launch(flags=(word,))), ".argv.json")
    assert json.loads(text)["argv"] == ["vllm", "serve", word]


@SLOW
@given(HOSTILE)
def test_an_environment_file_holds_the_value_or_is_refused(value: str) -> None:
    launch = make_launch(environment={"MOTTO": value})
    try:
        text = one(render(make_deployment(), "env", launch=launch), ".env")
    except RenderError:
        assert len(value.splitlines()) > 1 or value != (value.splitlines() or [""])[0]
        return
    assert [line for line in text.split("\n") if line and not line.startswith("#")] == [f"MOTTO={value}"]


@SLOW
@given(HOSTILE, HOSTILE)
def test_clients_ask_exactly_this(model: str, prompt: str) -> None:
    if not prompt or any(unicodedata.category(c) in ("Cc", "Zl", "Zp") for c in prompt):
        prompt = "a"
    deployment = make_deployment(smoke={"prompts": (prompt,)})
    launch = make_launch(served_model_name=model, host="127.0.0.1")
    artefacts = render(deployment, "client", launch=launch)
    words = shell_command(one(artefacts, ".curl.sh"), "curl")
    asked = json.loads(words[words.index("--data") + 1])
    assert asked["model"] == model
    assert asked["messages"][0]["content"] == prompt
    program = ast.parse(one(artefacts, ".openai.py"))
    assert model in {node.value for node in ast.walk(program) if isinstance(node, ast.Constant)}


UNIT_WORD = re.compile(r'"((?:[^"\\]|\\.)*)"|(\S+)')


def unit_words(line: str) -> list[str]:
    """The words of a systemd command line: C-style quotes, ``%%`` and ``$$`` for single ones."""
    found = [json.loads(f'"{quoted}"') if plain == "" else plain for quoted, plain in UNIT_WORD.findall(line)]
    return [word.replace("%%", "%").replace("$$", "$") for word in found]


@SLOW
@given(st.lists(HOSTILE, min_size=1, max_size=4), HOSTILE)
def test_units_hold_exactly_these_words_or_are_refused(words: list[str], value: str) -> None:
    launch = make_launch(flags=tuple(words), container_flags=tuple(words), environment={"MOTTO": value})
    plain = make_launch(flags=("a",), container_flags=("a",), environment={"MOTTO": "b"})
    for format_name, key, start in (
        ("systemd", "ExecStart=", ["/usr/bin/env", "vllm", "serve"]),
        ("quadlet", "Exec=", []),
    ):
        try:
            text = one(render(make_deployment(), format_name, launch=launch), "")
        except RenderError as error:
            assert "control characters" in str(error)
            assert not all(word.replace("\n", "").replace("\t", "").isprintable() for word in [*words, value])
            continue
        usual = one(render(make_deployment(), format_name, launch=plain), "")
        assert len(text.splitlines()) == len(usual.splitlines())
        (line,) = (line for line in text.splitlines() if line.startswith(key))
        assert unit_words(line.removeprefix(key)) == [*start, *words]
        (line,) = (line for line in text.splitlines() if line.startswith('Environment="MOTTO'))
        assert unit_words(line.removeprefix("Environment="))[0].replace("$", "") == f"MOTTO={value}".replace(
            "$", ""
        )


@SLOW
@given(st.lists(HOSTILE, min_size=1, max_size=4), HOSTILE)
def test_kubernetes_holds_exactly_these_words(words: list[str], value: str) -> None:
    launch = make_launch(container_flags=tuple(words), environment={"MOTTO": value})
    text = one(render(make_deployment(), "kubernetes", launch=launch), ".yaml")
    (container,) = next(
        document["spec"]["template"]["spec"]["containers"]
        for document in yaml.safe_load_all(text)
        if document["kind"] == "Deployment"
    )
    assert [word.replace("$$", "$") for word in container["args"]] == words
    assert all(len(run) % 2 == 0 for word in container["args"] for run in dollars(word))


@pytest.mark.parametrize("word", ["'", "a b", "$(id)"])
def test_shlex_reads_the_script_as_well(word: str) -> None:
    text = one(render(make_deployment(), "shell", launch=make_launch(flags=(word,))), ".sh")
    assert shlex.split(text.split("\nexec ")[1], comments=True) == ["vllm", "serve", word]


def test_a_mounted_folder_is_one_field_for_docker() -> None:
    """Its value is a line of CSV: what ends a line, parts fields or quotes one is quoted."""
    path = '/srv/a\nb,"c'
    launch = make_launch(mounts=((path, "/models/m"),))
    text = one(render(make_deployment(), "docker", launch=launch), ".docker.sh")
    found = next(word for word in shell_command(text, '"$engine"') if word.startswith("type=bind"))
    assert next(csv.reader([found])) == ["type=bind", f"source={path}", "target=/models/m", "readonly"]
