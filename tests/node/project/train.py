"""Trains a classifier of handwritten digits and registers it. usage: train.py C MODEL"""

import sys

import mlflow
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split


def main(strength, name):
    digits = load_digits()
    seen, unseen, labels, truth = train_test_split(digits.data / 16, digits.target, random_state=5)
    with mlflow.start_run():
        model = LogisticRegression(C=float(strength), max_iter=300).fit(seen, labels)
        mlflow.log_metric("accuracy", model.score(unseen, truth))
        mlflow.sklearn.log_model(
            model,
            name="model",
            input_example=unseen[:2],
            pip_requirements=["scikit-learn"],  # else the server's packages are looked through, for a minute
            registered_model_name=name,
        )


main(*sys.argv[1:])
