"""`ziggurat images`: every image that a blueprint's platform runs, for whoever fills a mirror."""

from __future__ import annotations

from pathlib import Path

import click

from ziggurat.commands.options import blueprint_argument, json_option, print_json


@click.command(
    epilog="""\b
Examples:
  ziggurat images                       of ./blueprint.yaml
  ziggurat images acme.yaml --json | jq -r '.images[].source'
  ziggurat images acme.yaml | while read source mirror; do skopeo copy --all docker://$source \\
    docker://$mirror; done

\b
Exit codes: 0 listed; 3 the blueprint is wrong."""
)
@blueprint_argument
@json_option
def command(blueprint: Path, as_json: bool) -> None:
    """List every image that a blueprint's platform runs: where its maker has it, and where pods pull it.

    A line for each: the maker's reference, a space, the reference in the pods. The two differ where the
    blueprint names a mirror (`images: {registry: ...}`), which has to hold every one of them. Images that the
    blueprint itself names, for projects and training, come last and are pulled from where it says.
    """
    from blueprints import load
    from components.contents import brought_images, used_images
    from components.versions import ImageSource

    found = load(blueprint).blueprint
    pulled = ImageSource(found.images.registry, found.images.pull_secret)
    references = sorted(
        (ImageSource().reference(each), pulled.reference(each)) for each in used_images(found)
    )
    references += [(image, image) for image in sorted(brought_images(found))]
    if as_json:
        images = [{"source": source, "reference": reference} for source, reference in references]
        print_json({"platform": found.name, "registry": found.images.registry, "images": images})
    else:
        click.echo("\n".join(f"{source} {reference}" for source, reference in references))
