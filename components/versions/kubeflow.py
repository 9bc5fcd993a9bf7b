"""What training, tuning, serving and notebooks are made with."""

from components.versions.model import Chart, Image
from components.versions.serving import KSERVE, KSERVE_CRD
from components.versions.training import JOBSET, KUBEFLOW_TRAINER, PYTORCH

KUBEFLOW_IMAGES: tuple[Image, ...] = (PYTORCH,)
KUBEFLOW_CHARTS: tuple[Chart, ...] = (JOBSET, KUBEFLOW_TRAINER, KSERVE_CRD, KSERVE)
