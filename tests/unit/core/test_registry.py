"""Discovery: what an application's modules hold, and what is wrong with them."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from framework_m.core.errors import ConfigurationError, DuplicateJobError, UnknownJobError
from framework_m.core.jobs.built_in import BUILT_IN
from framework_m.core.jobs.registry import JobRegistry

Write = Callable[[str, str], None]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Write]:
    """Write modules that can be imported, and are forgotten afterwards."""
    monkeypatch.syspath_prepend(str(tmp_path))
    before = set(sys.modules)

    def write_module(path: str, source: str) -> None:
        file = tmp_path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(source)

    yield write_module
    for name in set(sys.modules) - before:
        del sys.modules[name]


def discovered(*modules: str) -> JobRegistry:
    registry = JobRegistry(default_retries=3, default_timeout=300)
    registry.discover(modules)
    return registry


SEND = "from framework_m import job\n\n@job\nasync def send(to: str) -> None: ...\n"


def test_modules_are_searched_with_all_that_lie_below(write: Write) -> None:
    write("shop_a/__init__.py", "")
    write("shop_a/deep/__init__.py", "")
    write("shop_a/deep/mail.py", SEND)
    assert [job.name for job in discovered("shop_a")] == ["send"]


def test_a_function_imported_elsewhere_counts_once(write: Write) -> None:
    write("shop_b/__init__.py", "from shop_b.mail import send")
    write("shop_b/mail.py", SEND)
    assert len(discovered("shop_b", "shop_b.mail")) == 1


def test_two_functions_of_one_name_are_refused_with_both_places(write: Write) -> None:
    write("shop_c/__init__.py", "")
    write("shop_c/mail.py", SEND)
    write("shop_c/post.py", SEND)
    with pytest.raises(DuplicateJobError) as refused:
        discovered("shop_c")
    assert "shop_c.mail:send (line 3)" in str(refused.value)
    assert "shop_c.post:send (line 3)" in str(refused.value)


def test_a_name_can_be_given(write: Write) -> None:
    write("shop_d.py", SEND.replace("@job", "@job(name='mail.send', queue='mail', retries=0)"))
    [found] = discovered("shop_d")
    assert (found.name, found.queue, found.max_attempts) == ("mail.send", "mail", 1)


def test_defaults_come_from_the_settings(write: Write) -> None:
    write("shop_e.py", SEND)
    [found] = discovered("shop_e")
    assert (found.max_attempts, found.timeout) == (4, 300)


def test_a_module_that_does_not_exist_is_named() -> None:
    with pytest.raises(ConfigurationError, match=r"the module 'no\.such' does not exist"):
        discovered("no.such")


def test_a_module_that_needs_a_missing_one_says_which(write: Write) -> None:
    write("shop_f.py", "import no_such_library")
    with pytest.raises(ConfigurationError, match="'shop_f' needs 'no_such_library'"):
        discovered("shop_f")


def test_a_module_that_breaks_on_import_says_how(write: Write) -> None:
    write("shop_g/__init__.py", "")
    write("shop_g/broken.py", "1 / 0")
    with pytest.raises(ConfigurationError, match=r"'shop_g\.broken'.*ZeroDivisionError"):
        discovered("shop_g")


def test_an_annotation_that_does_not_resolve_is_named(write: Write) -> None:
    write("shop_h.py", SEND.replace("to: str", "to: 'Nobody'"))
    with pytest.raises(ConfigurationError, match="job 'send': an annotation cannot be resolved"):
        discovered("shop_h")


def test_an_unknown_name_suggests_the_nearest(write: Write) -> None:
    write("shop_i.py", SEND)
    with pytest.raises(UnknownJobError, match="did you mean 'send'"):
        discovered("shop_i").get("sent")


def test_names_of_the_framework_are_refused(write: Write) -> None:
    write("shop_j.py", SEND.replace("@job", "@job(name='framework_m.send')"))
    with pytest.raises(ConfigurationError, match=r"'framework_m\.send' at shop_j:send .* own"):
        discovered("shop_j")


def test_the_frameworks_own_are_there_come_last_and_may_be_imported(write: Write) -> None:
    write("shop_k.py", f"{SEND}from framework_m.core.jobs.built_in import prune_jobs\n")
    registry = JobRegistry(default_retries=3, default_timeout=300, built_in=BUILT_IN)
    registry.discover(["shop_k"])
    assert [job.is_built_in for job in registry] == [False, *(True for _ in BUILT_IN)]
    assert [job.name for job in registry.own] == ["send"]
