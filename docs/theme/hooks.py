"""What the site needs besides docs/: files of the repository's top, and lists as GitHub reads them.

The pages are written for GitHub. There a link leaves the folder with `../`, and what belongs to an entry of
a list is indented as far as its text; here all pages lie in one tree, and Markdown wants four spaces.
"""

import re
from pathlib import PurePosixPath

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

# From the repository's top to the site.
CARRIED = {
    "README.md": "readme.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "security-policy.md",
    "config.example.toml": "config.example.toml",
    ".ci/run": "ci/run.sh",
    "compose.yaml": "compose.yaml",
    "compose.standalone.yaml": "compose.standalone.yaml",
    "systemd/pvcharge.service": "systemd/pvcharge.service",
    "systemd/credentials.conf": "systemd/credentials.conf",
    "src/pvcharge/web/static/icons/icon.svg": "assets/icon.svg",
}
LINK = re.compile(r"(?<=\]\()(?!https?:|mailto:|#)([^)#\s]+)")
ITEM = re.compile(r"([-*+]|\d{1,3}\.) +(?=\S)")
PARAGRAPH = re.compile(r"(?!\d+\. |[-*+] )[^ #]")
FENCE = re.compile(r"(`{3,}|~{3,})")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the files of the top."""
    top = PurePosixPath(config.config_file_path).parent
    for source, target in CARRIED.items():
        files.append(File.generated(config, target, abs_src_path=str(top / source)))
    return files


def on_page_markdown(markdown: str, page: Page, **_: object) -> str:
    """Return a page with the site's links and lists."""
    source = next((source for source, target in CARRIED.items() if target == page.file.src_uri), None)
    return with_lists(with_links(markdown, PurePosixPath(source or f"docs/{page.file.src_uri}")))


def with_links(markdown: str, source: PurePosixPath) -> str:
    """Return a page whose links to other files lead where these are on the site.

    Args:
        markdown: the page, as it stands in the repository.
        source: its path from the repository's top.
    """
    own = _on_site(source)

    def there(match: re.Match[str]) -> str:
        target = _on_site(_joined(source.parent, match[1]))
        return match[1] if target is None or own is None else _relative(target, own.parent)

    return LINK.sub(there, markdown)


def with_lists(markdown: str) -> str:
    """Return a page whose entries of lists are indented by four spaces for each level."""
    lines: list[str] = []
    levels: list[int] = []  # where the text of each entry around begins
    fence = ""
    for line in markdown.split("\n"):
        text = line.lstrip(" ")
        if not text:
            lines.append(line)
            continue
        if not fence:
            while levels and len(line) - len(text) < levels[-1]:
                levels.pop()
        rest = line[levels[-1] :] if levels else line
        depth = len(levels)
        item = None if fence else ITEM.match(rest)
        if item:
            if (
                not depth
                and lines
                and lines[-1].strip()
                and not lines[-1].startswith((" ", "-", "*", "+", "#"))
            ):
                lines += [] if re.match(r"\d+\. ", lines[-1]) else [""]
            levels.append(len(line) - len(rest) + item.end())
            rest = item[0].rstrip().ljust(4) + rest[item.end() :]
        elif opened := FENCE.match(text):
            fence = opened[1] if not fence else "" if text.rstrip() == fence else fence
        lines.append(" " * 4 * depth + rest)
    return "\n".join(lines)


def _on_site(path: PurePosixPath) -> PurePosixPath | None:
    """Return where a file of the repository is on the site, None if it is not."""
    if str(path) in CARRIED:
        return PurePosixPath(CARRIED[str(path)])
    return path.relative_to("docs") if path.parts[:1] == ("docs",) else None


def _joined(folder: PurePosixPath, link: str) -> PurePosixPath:
    """Return the path to which a link in a folder leads."""
    parts = list(folder.parts)
    for part in PurePosixPath(link).parts:
        if part == "..":
            parts = parts[:-1]
        elif part != ".":
            parts.append(part)
    return PurePosixPath(*parts)


def _relative(target: PurePosixPath, folder: PurePosixPath) -> str:
    """Return a link from a folder."""
    return "/".join([".."] * len(folder.parts) + [str(target)])
