"""What the site needs besides docs/: files of the repository's top, and lists as GitHub reads them.

The pages are written for GitHub. There a link leaves the folder with `../`, and what belongs to an entry of
a list is indented as far as its text; here all pages lie in one tree, and Markdown wants four spaces.
What is still read otherwise than there is a warning, which fails a strict build.
"""

import re
from logging import getLogger
from pathlib import PurePosixPath

from markdown_it import MarkdownIt  # comes with rich
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
PARAGRAPH = re.compile(r"(?!\d+\. |[-*+#>|] ?)[^ ]")
FENCE = re.compile(r"(`{3,}|~{3,})")
PARTS = ("li", "ol", "ul", "pre", "tr", "img", "h2", "h3")

log = getLogger("mkdocs.plugins.hooks")


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


def on_page_content(html: str, page: Page, **_: object) -> None:
    """Warn of a page that has other parts here than on GitHub, such as an entry lost in a paragraph."""
    there = MarkdownIt("commonmark").enable("table").render(page.file.content_string)
    for part in PARTS:
        ours, theirs = (len(re.findall(rf"<{part}[ >]", text)) for text in (html, there))
        if ours != theirs:
            log.warning("%s: %d <%s> here, %d on GitHub", page.file.src_uri, ours, part, theirs)


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
    apart = False  # the entry has more than one paragraph
    fence = ""
    for line in markdown.split("\n"):
        text = line.lstrip(" ")
        if not text:
            apart = apart or not fence
            lines.append(line)
            continue
        if not fence:
            while levels and len(line) - len(text) < levels[-1]:
                levels.pop()
        rest = line[levels[-1] :] if levels else line
        depth = len(levels)
        item = None if fence else ITEM.match(rest)
        if item:
            # Markdown of old reads on in a paragraph; that of GitHub ends it.
            if lines and lines[-1] and (apart or (not depth and PARAGRAPH.match(lines[-1]))):
                lines.append("")
            apart = False
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
