"""What all tests share: real definitions of custom resources, where they lie beside the checkout.

They are others' files, so the project has none. A folder `shared/crds` beside the checkout is used by itself,
another one by the environment variable ZIGGURAT_TEST_CRDS (docs/testing.md).
"""

import hashlib
import json
import os
import shutil
import tempfile
from pathlib import Path

import pytest
import yaml

from standin.definitions import FOLDER

ROOT = Path(__file__).parents[1]
BESIDE = ROOT.parent / "shared" / "crds"
CACHE = ROOT / ".pytest_cache"


def as_json(folder: Path) -> Path:
    """A folder with the same documents as JSON: YAML of megabytes takes seconds, in each of 200 processes."""
    files = sorted(folder.glob("*.yaml"))
    digest = hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:16]
    made = CACHE / f"definitions-{digest}"
    if not made.is_dir():
        CACHE.mkdir(exist_ok=True)
        unfinished = Path(tempfile.mkdtemp(dir=CACHE))
        for file in files:
            documents = yaml.load_all(file.read_text(), getattr(yaml, "CSafeLoader", yaml.SafeLoader))
            for number, document in enumerate(filter(None, documents)):
                (unfinished / f"{file.stem}-{number}.yaml").write_text(json.dumps(document, default=str))
        try:
            unfinished.rename(made)
        except OSError:  # another worker of this run was faster
            shutil.rmtree(unfinished)
    return made


given = Path(os.environ.get(FOLDER) or BESIDE)
if given.is_dir() and given.parent != CACHE:  # a worker is given what the first process has made
    os.environ[FOLDER] = str(as_json(given))


@pytest.fixture(scope="module")
def planned(request: pytest.FixtureRequest):
    """What the blueprint comes to that a module names as its VARIANT; planned once."""
    from blueprints import load
    from ziggurat.plan import plan

    return plan(load(request.module.VARIANT))
