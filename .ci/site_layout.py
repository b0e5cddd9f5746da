"""Hook of mkdocs: lay the site out as the repository is, so that a relative link means the same here and on GitHub.

MkDocs knows one folder of pages and no link that leaves it, but docs/ links to README.md, benchmarks/, properties/ and
back. So all of these become files of the site, under their paths in the repository. Links to folders lead to their
README, or else to a list of their files.
"""

import posixpath
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

REPOSITORY = Path(__file__).parents[1]
SHOWN = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "LICENSE", "docs", "benchmarks", "examples", "properties")
_LINK = re.compile(r"(?<=\]\()(?!https?:|mailto:|#)[^)\s]+(?=\))")
_ROLE = re.compile(r":(?:attr|class|data|func|meth|mod):<code>~?([^<]+)</code>")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """The files of the site: those of the theme, and these of the repository."""
    laid_out = Files([file for file in files if file.src_dir != config.docs_dir])
    for path in _shown_files():
        laid_out.append(File(path.as_posix(), str(REPOSITORY), config.site_dir, config.use_directory_urls))
    for folder in _folders_without_readme(laid_out):
        names = sorted(
            path.name
            for path in (REPOSITORY / folder).iterdir()
            if laid_out.get_file_from_path(f"{folder}/{path.name}")
        )
        content = "\n".join([f"# {folder}", "", *(f"- [{name}]({name})" for name in names)])
        laid_out.append(File.generated(config, f"{folder}/README.md", content=content))
    return laid_out


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Lead links to folders to the folder's page."""

    def target(link: re.Match[str]) -> str:
        path = posixpath.normpath(posixpath.join(posixpath.dirname(page.file.src_uri), link[0]))
        return posixpath.join(link[0], "README.md") if (REPOSITORY / path).is_dir() else link[0]

    return _LINK.sub(target, markdown)


def on_page_content(html: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Docstrings name other objects as Sphinx has it; show the last part of the name."""
    return _ROLE.sub(lambda role: f"<code>{role[1].rsplit('.', 1)[-1]}</code>", html)


def _shown_files() -> list[Path]:
    found = []
    for name in SHOWN:
        path = REPOSITORY / name
        found += [path] if path.is_file() else sorted(file for file in path.rglob("*") if file.is_file())
    relative = [path.relative_to(REPOSITORY) for path in found]
    return [path for path in relative if not any(part.startswith((".", "__")) for part in path.parts)]


def _folders_without_readme(files: Files) -> list[str]:
    folders = {parent.as_posix() for file in files for parent in Path(file.src_uri).parents} - {"."}
    return sorted(
        folder
        for folder in folders
        if (REPOSITORY / folder).is_dir() and not files.get_file_from_path(f"{folder}/README.md")
    )
