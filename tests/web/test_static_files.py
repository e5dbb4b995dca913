"""The page's own files: served as what they are, and only once to who has them."""

import gzip
from importlib import resources
from pathlib import Path

import pytest

from pvcharge import words
from pvcharge.web import site
from pvcharge.web.static_files import static_files
from web.house import House, open_house

MOST_BYTES = 200_000
SCRIPT = "export const wide = 1;\n" * 100


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with a small page."""
    folder = tmp_path / "static"
    (folder / "js").mkdir(parents=True)
    (folder / "index.html").write_text("<!doctype html><title>é</title>", encoding="utf-8")
    (folder / "js" / "app.js").write_text(SCRIPT, encoding="utf-8")
    (folder / "icon.png").write_bytes(b"\x89PNG")
    (folder / "manifest.webmanifest").write_text("{}", encoding="utf-8")
    (folder / "notes.bak").write_text("nothing for others", encoding="utf-8")
    return folder


@pytest.fixture
def page(house: House, folder: Path, monkeypatch: pytest.MonkeyPatch) -> House:
    """Return a house with that page."""
    monkeypatch.setattr(site, "static_files", lambda: static_files(folder))
    return house


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/", "text/html; charset=utf-8"),
        ("/index.html", "text/html; charset=utf-8"),
        ("/js/app.js", "text/javascript; charset=utf-8"),
        ("/icon.png", "image/png"),
        ("/manifest.webmanifest", "application/manifest+json"),
    ],
)
async def test_files(page: House, path: str, kind: str) -> None:
    """Each has its type, and is asked for again each time."""
    async with open_house(page) as api, api.get(path) as answer:
        assert (answer.status, answer.headers["Content-Type"]) == (200, kind)
        assert answer.headers["Cache-Control"] == "no-cache"
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]


async def test_who_has_it_gets_it_no_more(page: House) -> None:
    """Until it changes; packed and plain are two things."""
    async with open_house(page) as api:
        tags = set()
        for accepted in ("gzip", "identity"):
            headers = {"Accept-Encoding": accepted}
            async with api.get("/js/app.js", headers=headers) as answer:
                assert await answer.text() == SCRIPT
                tag = answer.headers["ETag"]
                tags.add(tag)
            async with api.get("/js/app.js", headers={**headers, "If-None-Match": tag}) as answer:
                assert (answer.status, await answer.read(), answer.headers["ETag"]) == (304, b"", tag)
            async with api.get("/js/app.js", headers={**headers, "If-None-Match": '"old"'}) as answer:
                assert answer.status == 200
        assert len(tags) == 2


async def test_head(page: House) -> None:
    """As with GET, without the file."""
    async with open_house(page) as api, api.head("/js/app.js", headers={"Accept-Encoding": ""}) as answer:
        assert (answer.status, answer.headers["Content-Length"]) == (200, str(len(SCRIPT)))


@pytest.mark.parametrize(
    "path",
    ["/notes.bak", "/js", "/js/", "/js/../../secret", "/%2e%2e/secret", "/index.html%00"],
)
async def test_nothing_else(page: House, path: str) -> None:
    """What is no file of the page is not there, however it is written."""
    async with open_house(page) as api, api.get(path) as answer:
        assert (answer.status, answer.content_type) == (404, "application/problem+json")


def test_small_files_are_not_packed(folder: Path) -> None:
    """Where that would make them larger."""
    files = static_files(folder)
    assert files["manifest.webmanifest"].packed is None
    packed = files["js/app.js"].packed
    assert packed is not None
    assert gzip.decompress(packed).decode() == SCRIPT


def test_the_page_is_small() -> None:
    """As it is, before it is packed: less than a photograph."""
    folder = resources.files("pvcharge.web") / "static"
    with resources.as_file(folder) as path:
        sizes = {str(it.relative_to(path)): it.stat().st_size for it in path.rglob("*") if it.is_file()}
    assert len(sizes) > 30
    assert sum(sizes.values()) < MOST_BYTES


async def test_words(house: House) -> None:
    """The page's are those of every other surface, for each language."""
    async with open_house(house) as api:
        for language in words.LANGUAGES:
            async with api.get(f"/words/{language}.json") as answer:
                assert answer.content_type == "application/json"
                assert await answer.json() == words.table(language)


async def test_the_page_of_the_package(house: House) -> None:
    """It is there."""
    assert static_files()[""].kind == "text/html"
    async with open_house(house) as api, api.get("/") as answer:
        assert answer.status == 200
