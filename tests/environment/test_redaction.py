from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlsteps.environment.redaction import (
    UrlSecrets,
    channel_without_credentials,
    redact,
    without_credentials,
)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("see https://me:pass@host/simple now", "see https://***@host/simple now"),
        ("https://token@host/x", "https://***@host/x"),
        ("https://host/x.whl?sv=1&sig=a%2Fb&se=2", "https://host/x.whl?sv=1&sig=***&se=2"),
        ("https://host/?access_token=abc", "https://host/?access_token=***"),
        ("https://host/?page=2", "https://host/?page=2"),
        ("mail me@host", "mail me@host"),
        ("at https://host/t/tk-123/team/noarch", "at https://host/t/***/team/noarch"),
    ],
)
def test_redact(text: str, shown: str) -> None:
    assert redact(text) == shown


@pytest.mark.parametrize(
    ("url", "clean"),
    [
        ("https://me:pass@host:8443/simple/", "https://host:8443/simple/"),
        ("git+https://token@host/a/b@v1#egg=b", "git+https://host/a/b@v1#egg=b"),
        ("git+ssh://git@host/a/b", "git+ssh://git@host/a/b"),
        ("git+ssh://git:pass@host/a/b", "git+ssh://host/a/b"),
        ("https://host/x.whl?sv=1&sig=abc&se=2#sha256=1", "https://host/x.whl#sha256=1"),
        ("https://host/x.whl?version=2", "https://host/x.whl?version=2"),
        ("https://${USER}:${TOKEN}@host/simple", "https://host/simple"),
    ],
)
def test_strip_and_restore(url: str, clean: str) -> None:
    secrets = UrlSecrets()
    assert secrets.hide(url) == clean == without_credentials(url)
    assert secrets.reveal_all(f"pkg @ {clean} ; x") == f"pkg @ {url} ; x"
    assert bool(secrets) is (url != clean)


@pytest.mark.parametrize(
    ("channel", "clean"),
    [
        ("conda-forge", "conda-forge"),
        ("https://host/team", "https://host/team"),
        ("https://me:hunter2@host/team/", "https://host/team/"),
        ("https://host/t/tk-123/team", "https://host/team"),
        ("https://me:hunter2@host/t/tk-123/team", "https://host/team"),
    ],
)
def test_channels_lose_their_tokens_too(channel: str, clean: str) -> None:
    secrets = UrlSecrets()
    assert secrets.hide_channel(channel) == clean == channel_without_credentials(channel)
    below = f"{clean.rstrip('/')}/noarch/a.conda"
    assert UrlSecrets().joined(secrets).reveal_below(below) == f"{channel.rstrip('/')}/noarch/a.conda"
    masked = secrets.mask(f"{channel}/a.conda")
    assert "hunter2" not in masked and "tk-123" not in masked


def test_secrets_are_not_shown() -> None:
    secrets = UrlSecrets()
    secrets.hide("https://me:hunter2@host/")
    assert "hunter2" not in repr(secrets)
    assert "hunter2" not in secrets.mask("failed: https://me:hunter2@host/ (https://me:hunter2@host/x)")


_SECRET = st.text("abcdefghijklmnopqrstuvwxyz0123456789%-_.~!$&'()*+,;=:", min_size=8)


@given(_SECRET)
def test_no_password_survives(password: str) -> None:
    url = f"https://user:{password}@example.org/simple"
    assert without_credentials(url) == "https://example.org/simple"
