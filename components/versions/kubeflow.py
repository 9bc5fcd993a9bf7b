"""What training, tuning, serving and notebooks are made with."""

from components.versions.model import Chart, Image
from components.versions.notebooks import JUPYTER, NOTEBOOK_CONTROLLER
from components.versions.serving import KSERVE, KSERVE_CRD
from components.versions.training import JOBSET, KUBEFLOW_TRAINER, PYTORCH
from components.versions.tuning import KATIB_IMAGES, KATIB_UI

KUBEFLOW_IMAGES: tuple[Image, ...] = (PYTORCH, *KATIB_IMAGES, KATIB_UI, NOTEBOOK_CONTROLLER, JUPYTER)
KUBEFLOW_CHARTS: tuple[Chart, ...] = (JOBSET, KUBEFLOW_TRAINER, KSERVE_CRD, KSERVE)
