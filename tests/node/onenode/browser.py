"""A browser without a screen: names, redirects and cookies of https, in front of ports of this machine.

It stands where the user's gateway would: that ends TLS and passes the request on, with the host's name.
"""

from __future__ import annotations

import http.client
import json
import re
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from html import unescape
from http.cookiejar import CookieJar
from typing import Any
from urllib.parse import urlencode, urljoin


@dataclass(frozen=True)
class Page:
    """What the browser shows in the end."""

    status: int
    url: str
    body: str
    location: str | None = None
    """Where it is sent to, where it does not follow."""


class _Gateway(urllib.request.HTTPSHandler):
    def __init__(self, ports: Mapping[str, int]) -> None:
        super().__init__()
        self.ports = ports

    def https_open(self, req: urllib.request.Request) -> Any:
        def connect(host: str, **options: Any) -> http.client.HTTPConnection:
            return http.client.HTTPConnection("127.0.0.1", self.ports[host], timeout=options["timeout"])

        return self.do_open(connect, req)


class _Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *args: Any, **options: Any) -> None:
        """Follows nothing."""


class Browser:
    """One person's browser."""

    def __init__(self, ports: Mapping[str, int]) -> None:
        """`ports`: where on this machine each host is served, in clear."""
        self.cookies, self.ports = CookieJar(), ports

    def open(
        self,
        url: str,
        *,
        data: Mapping[str, Any] | None = None,
        form: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        follow: bool = True,
    ) -> Page:
        """GET, or POST of `data` as JSON or of a `form`."""
        sent = {"X-Forwarded-Proto": "https", **(headers or {})}
        body = None if form is None else urlencode(form).encode()
        if data is not None:
            body, sent["Content-Type"] = json.dumps(data).encode(), "application/json"
        stay = () if follow else (_Stay(),)
        opener = urllib.request.build_opener(
            _Gateway(self.ports), urllib.request.HTTPCookieProcessor(self.cookies), *stay
        )
        try:
            answer = opener.open(urllib.request.Request(url, body, sent), timeout=60)  # noqa: S310  # https
        except urllib.error.HTTPError as refused:
            answer = refused
        with answer:
            text = answer.read().decode(errors="replace")
            return Page(answer.status, answer.url, text, answer.headers.get("Location"))

    def log_in(self, url: str, email: str, password: str) -> Page:
        """Opens a page, and fills in the form of the login page that it leads to."""
        page = self.open(url)
        action = re.search(r'<form[^>]*\baction="([^"]*)"', page.body)
        if action is None:
            raise AssertionError(f"{page.url} shows no form: {page.body[:500]}")
        target = urljoin(page.url, unescape(action[1]))
        return self.open(target, form={"login": email, "password": password})
