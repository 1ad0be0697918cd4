"""What a dialog offers to the keyboard."""

from __future__ import annotations

import re
from typing import Any


def letters_given_twice(dialog: Any) -> list[str]:
    """Return the letters that more than one visible widget of a dialog claims, page by page.

    A tab claims its letter on every page, and so do the buttons beside the tabs. Labels
    with a letter must lead somewhere.
    """
    from qgis.PyQt.QtCore import Qt
    from qgis.PyQt.QtWidgets import QAbstractButton, QLabel, QTabWidget

    tabs = dialog.findChild(QTabWidget)
    pages = [None] if tabs is None else range(tabs.count())
    twice = []
    for page in pages:
        found = []
        if tabs is not None:
            tabs.setCurrentIndex(page)
            found += [_letter(tabs.tabText(index)) for index in range(tabs.count())]
        for widget in dialog.findChildren((QLabel, QAbstractButton)):
            letter = _letter(getattr(widget, "text", str)())
            if letter and widget.isVisibleTo(dialog):
                found.append(letter)
                if isinstance(widget, QLabel):
                    assert widget.buddy() is not None, widget.text()
                    assert widget.buddy().focusPolicy() != Qt.FocusPolicy.NoFocus, widget.text()
        twice += [f"{page}: {letter}" for letter in set(found) - {""} if found.count(letter) > 1]
    return sorted(twice)


def _letter(text: str) -> str:
    found = re.search(r"&(\w)", text.replace("&&", ""))
    return found[1].lower() if found else ""
