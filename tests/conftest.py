"""What all tests share: real definitions of custom resources, where they lie beside the checkout.

They are others' files, so the project has none. A folder `shared/crds` beside the checkout is used by itself,
another one by the environment variable ZIGGURAT_TEST_CRDS (docs/testing.md).
"""

import os
from pathlib import Path

VARIABLE = "ZIGGURAT_TEST_CRDS"
BESIDE = Path(__file__).parents[2] / "shared" / "crds"

if VARIABLE not in os.environ and BESIDE.is_dir():
    os.environ[VARIABLE] = str(BESIDE)
