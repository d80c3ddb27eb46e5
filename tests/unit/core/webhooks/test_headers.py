"""Headers: nothing can be smuggled in, and what is ours stays ours."""

import pytest

from framework_m.core.errors import EgressRefusedError
from framework_m.core.webhooks.headers import check_user_headers, merged

OURS = {"Content-Type": "application/json", "webhook-id": "msg_1"}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("X-A", "a\r\nHost: inside"),
        ("X-A", "a\nb"),
        ("X-A", "a\rb"),
        ("X-A", "a\x00b"),
        ("X-A", "a\n"),
        ("X-A", "\u0100"),
        ("X-A", "gr\u00fcn"),
        ("X-A", "\x7f"),
        ("X A", "a"),
        ("X-A:", "a"),
        ("X-A\r\nX-B", "a"),
        ("X-\u00c4", "a"),
        ("X-A\n", "a"),
        ("", "a"),
    ],
)
def test_what_is_no_header_is_refused(name: str, value: str) -> None:
    with pytest.raises(EgressRefusedError):
        check_user_headers({name: value})
    with pytest.raises(EgressRefusedError):
        merged({name: value}, {})


@pytest.mark.parametrize(
    "name",
    [
        "Host",
        "CONTENT-LENGTH",
        "Transfer-Encoding",
        "Connection",
        "Upgrade",
        "Expect",
        "TE",
        "Trailer",
        "Accept-Encoding",
        "User-Agent",
        "Proxy-Authorization",
        "Webhook-Id",
        "webhook-signature",
        "webhook-timestamp",
        "X-Webhook-Signature",
    ],
)
def test_a_user_cannot_set_what_is_ours(name: str) -> None:
    with pytest.raises(EgressRefusedError, match="not the user's"):
        merged(OURS, {name: "x"})


def test_a_user_may_add_headers_and_say_what_the_body_is() -> None:
    users = {"Authorization": "Bearer abc", "CONTENT-TYPE": "text/plain", "X-Team": "a\tb"}
    assert merged(OURS, users) == {
        "content-type": "text/plain",
        "webhook-id": "msg_1",
        "authorization": "Bearer abc",
        "x-team": "a\tb",
    }


def test_a_name_cannot_be_there_twice() -> None:
    with pytest.raises(EgressRefusedError, match="twice"):
        check_user_headers({"X-A": "1", "x-a": "2"})


def test_headers_have_an_end() -> None:
    with pytest.raises(EgressRefusedError):
        check_user_headers({f"X-{n}": "a" for n in range(51)})
    with pytest.raises(EgressRefusedError):
        check_user_headers({"X-A": "a" * 8200})


def test_values_stay_out_of_messages() -> None:
    with pytest.raises(EgressRefusedError) as raised:
        check_user_headers({"Authorization": "s3cret\n"})
    assert "s3cret" not in str(raised.value)
