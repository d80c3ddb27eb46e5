"""Where requests may go: hostile URLs and addresses are refused, and good ones are not."""

from collections.abc import Callable
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from framework_m.core.errors import ConfigurationError, EgressRefusedError
from framework_m.core.webhooks.addresses import hazards
from framework_m.core.webhooks.hosts import as_the_c_library_reads_it
from framework_m.core.webhooks.url_policy import UrlPolicy
from tests.unit.core.webhooks.hostile import HOSTILE

STRICT = UrlPolicy()
HTTP = UrlPolicy(allow_http=True)

GOOD = {
    "https://hooks.example.com/in": "https://hooks.example.com/in",
    "https://hooks.example.com": "https://hooks.example.com/",
    "HTTPS://Hooks.Example.COM/In": "https://hooks.example.com/In",
    "https://hooks.example.com.": "https://hooks.example.com/",
    "https://hooks.example.com:443/": "https://hooks.example.com/",
    "https://hooks.example.com:08443/": "https://hooks.example.com:8443/",
    "https://hooks.example.com/in?key=a%20b&c=d@e": "https://hooks.example.com/in?key=a%20b&c=d@e",
    "https://hooks.example.com?key=1": "https://hooks.example.com/?key=1",
    "https://hooks.example.com/in#part": "https://hooks.example.com/in",
    "https://hooks.example.com/gr\u00fc\u00df": "https://hooks.example.com/gr%C3%BC%C3%9F",
    "https://hooks.example.com/a//b@c:d": "https://hooks.example.com/a//b@c:d",
    "https://b\u00fccher.example/": "https://xn--bcher-kva.example/",
    "https://xn--bcher-kva.example/": "https://xn--bcher-kva.example/",
    "https://web_1.example/": "https://web_1.example/",
    "https://8.8.8.8/": "https://8.8.8.8/",
    "https://1.1.1.1:8443/x": "https://1.1.1.1:8443/x",
    "https://[2606:4700:4700::1111]/": "https://[2606:4700:4700::1111]/",
    "https://[2606:4700:4700:0:0:0:0:1111]:8443/": "https://[2606:4700:4700::1111]:8443/",
    "https://[64:ff9b::808:808]/": "https://[64:ff9b::808:808]/",
    "https://1password.com/": "https://1password.com/",
    "https://3com.example/": "https://3com.example/",
    "https://127.0.0.1.nip.example/": "https://127.0.0.1.nip.example/",
    "https://localhost.example.com/": "https://localhost.example.com/",
}


def test_the_list_is_long_enough() -> None:
    assert len(HOSTILE) >= 60


@pytest.mark.parametrize(("url", "why"), HOSTILE.items(), ids=lambda text: ascii(text)[:60])
def test_a_hostile_url_is_refused(url: str, why: str) -> None:
    with pytest.raises(EgressRefusedError):
        HTTP.check(url)
    if url.startswith("http://"):
        with pytest.raises(EgressRefusedError):
            STRICT.check(url.replace("http://", "https://", 1))


@pytest.mark.parametrize(("url", "requested"), GOOD.items())
def test_a_good_url_is_read_in_one_way(url: str, requested: str) -> None:
    target = STRICT.check(url)
    assert target.url == requested
    assert STRICT.check(target.url) == target


def test_a_target_says_where_it_leads() -> None:
    target = STRICT.check("https://[2606:4700:4700::1111]:8443/in?a=1#b")
    assert target.host == "2606:4700:4700::1111"
    assert target.port == 8443
    assert target.address == ip_address("2606:4700:4700::1111")
    assert STRICT.check("https://hooks.example.com/").address is None


def test_http_needs_to_be_allowed() -> None:
    with pytest.raises(EgressRefusedError, match="only https"):
        STRICT.check("http://hooks.example.com/")
    assert HTTP.check("http://hooks.example.com/").port == 80


def test_the_message_says_what_a_disguised_address_is() -> None:
    with pytest.raises(EgressRefusedError, match=r"disguise of the address 127\.0\.0\.1"):
        HTTP.check("http://0x7f.1/")


def test_messages_hold_no_path_and_no_password() -> None:
    for url in ("https://10.0.0.1/t0ken?key=t0ken", "https://t0ken@good.example/", "x://a/t0ken"):
        with pytest.raises(EgressRefusedError) as raised:
            STRICT.check(url)
        assert "t0ken" not in str(raised.value)


def test_one_bad_answer_spoils_the_good_ones() -> None:
    answers = [ip_address("8.8.8.8"), ip_address("10.0.0.5")]
    STRICT.check_answers("hooks.example.com", answers[:1])
    with pytest.raises(EgressRefusedError, match="private") as raised:
        STRICT.check_answers("hooks.example.com", answers)
    assert "10.0.0.5" not in str(raised.value)


def test_a_zone_makes_no_difference_to_an_address() -> None:
    for text in ("fe80::1%eth0", "::1%lo", "::ffff:127.0.0.1%3"):
        with pytest.raises(EgressRefusedError):
            STRICT.check_address(ip_address(text))
    STRICT.check_address(ip_address("2606:4700::1111%eth0"))


def allowed(policy: UrlPolicy, address: str, host: str | None = None) -> bool:
    try:
        policy.check_address(ip_address(address), host)
    except EgressRefusedError:
        return False
    return True


def test_an_allowed_network_is_reached() -> None:
    policy = UrlPolicy(allow=["10.1.0.0/16", "fd12::/16", "169.254.7.0/24"])
    assert policy.check("https://10.1.2.3/").address == ip_address("10.1.2.3")
    for address in ("10.1.2.3", "::ffff:10.1.2.3", "64:ff9b::10.1.2.3", "fd12::1", "169.254.7.1"):
        assert allowed(policy, address), address
    for address in ("10.2.0.1", "fd13::1", "127.0.0.1"):
        assert not allowed(policy, address), address
    assert allowed(policy, "8.8.8.8")


def test_an_allowed_name_leads_into_private_networks_and_no_further() -> None:
    policy = UrlPolicy(allow=["inside.example", "*.corp.example"])
    for host in ("inside.example", "a.corp.example", "a.b.corp.example"):
        assert allowed(policy, "10.0.0.1", host), host
        assert not allowed(policy, "169.254.1.1", host), host
        assert not allowed(policy, "169.254.169.254", host), host
        assert not allowed(policy, "fd00:ec2::254", host), host
    for host in ("corp.example", "outside.example", "x.inside.example", "xcorp.example"):
        assert not allowed(policy, "10.0.0.1", host), host
    assert not allowed(policy, "10.0.0.1")


def test_a_metadata_service_is_opened_by_its_own_address_alone() -> None:
    address = "169.254.169.254"
    wide = UrlPolicy(allow=["0.0.0.0/0", "::/0"], allow_private=True)
    assert allowed(wide, "169.254.1.1")
    for form in (address, f"::ffff:{address}", f"64:ff9b::{address}", "fd00:ec2::254"):
        assert not allowed(wide, form), form
    assert allowed(UrlPolicy(allow=[address]), address)


def test_denied_wins() -> None:
    policy = UrlPolicy(
        allow=["10.0.0.0/8", "*.example.com"], deny=["10.9.0.0/16", "bad.example.com", "8.8.8.8"]
    )
    assert allowed(policy, "10.1.0.1")
    for address in ("10.9.0.1", "::ffff:10.9.0.1", "64:ff9b::10.9.0.1", "8.8.8.8"):
        assert not allowed(policy, address, "good.example.com"), address
    with pytest.raises(EgressRefusedError, match="denied"):
        policy.check("https://BAD.example.com./")


def test_only_what_is_allowed() -> None:
    policy = UrlPolicy(allow=["hooks.example.com", "8.8.8.0/24"], only_allowed=True)
    assert allowed(policy, "1.1.1.1", "hooks.example.com")
    assert allowed(policy, "8.8.8.8", "dns.example")
    assert not allowed(policy, "1.1.1.1", "other.example")
    by_name = UrlPolicy(allow=["hooks.example.com"], only_allowed=True)
    with pytest.raises(EgressRefusedError, match="not allowed"):
        by_name.check("https://other.example/")


def test_private_networks_can_be_allowed_as_a_whole() -> None:
    policy = UrlPolicy(allow_http=True, allow_private=True)
    assert policy.check("http://localhost:8000/").host == "localhost"
    for address in ("127.0.0.1", "::1", "10.0.0.1", "100.64.0.1", "fd00::1", "::ffff:127.0.0.1"):
        assert allowed(policy, address), address
    for address in ("0.0.0.0", "169.254.169.254", "224.0.0.1", "fe80::1", "100.100.100.200"):
        assert not allowed(policy, address), address


@pytest.mark.parametrize("entry", ["10.0.0.1/8", "*", "", "*.", "*.1.2.3.4", "https://a.example"])
def test_an_entry_that_is_none_is_a_mistake_in_the_settings(entry: str) -> None:
    with pytest.raises(ConfigurationError):
        UrlPolicy(allow=[entry])


def test_entries_are_read_like_hosts() -> None:
    assert allowed(UrlPolicy(allow=["B\u00fccher.Example."]), "10.0.0.1", "xn--bcher-kva.example")


@given(st.ip_addresses(v=4))
def test_an_ipv4_address_in_disguise_is_judged_like_itself(address: object) -> None:
    packed = int(ip_address(str(address)))
    high, low = packed >> 16, packed & 0xFFFF
    plain = not hazards(ip_address(packed))
    for text in (
        f"::ffff:{high:x}:{low:x}",
        f"64:ff9b::{high:x}:{low:x}",
        f"2002:{high:x}:{low:x}::",
    ):
        assert (not hazards(ip_address(text))) == plain, text


@given(
    st.integers(0, 2**32 - 1),
    st.sampled_from([str, hex, lambda n: f"0{n:o}", lambda n: f"{n >> 24}.{n & 0xFFFFFF}"]),
)
def test_numbers_are_read_as_the_c_library_does(value: int, spell: Callable[[int], str]) -> None:
    import socket

    text = spell(value)
    assert as_the_c_library_reads_it(text) == ip_address(socket.inet_aton(text))


@given(st.text())
def test_no_text_is_more_than_refused(text: str) -> None:
    for url in (text, f"https://{text}", f"https://{text}/", f"https://[{text}]/{text}"):
        try:
            target = STRICT.check(url)
        except EgressRefusedError:
            continue
        assert target.url.isascii()
        assert STRICT.check(target.url) == target
