"""What MkDocs does with links of the documentation that lead out of docs/: to files of the repository.

On GitHub such a link opens the file. A site has only the pages of docs/, so that there the file's name stays
as text.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

__all__ = ["on_page_markdown"]

_LINK = re.compile(r"(?<!!)\[([^\]]+)\]\(([^)#\s:]+)(?:#[^)\s]*)?\)")


def on_page_markdown(markdown: str, page: Any, config: Any, **_: Any) -> str:  # noqa: ANN401 - MkDocs' signature
    """Return a page whose links to files outside of the documentation are names in code style.

    Args:
        markdown: Of the page.
        page: MkDocs' page.
        config: MkDocs' configuration.
    """
    folder = Path(config["docs_dir"]).resolve()
    here = (folder / page.file.src_uri).parent

    def plain(match: re.Match[str]) -> str:
        target = (here / match[2]).resolve()
        if target.is_relative_to(folder) or not target.exists():
            return match[0]  # a page, or a dead link, which MkDocs tells
        return f"`{match[1].strip('`')}`"

    return _LINK.sub(plain, markdown)
