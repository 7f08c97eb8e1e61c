"""Read a page as a browser would, without one: its elements in order, its text, its drawings."""

import json
from html.parser import HTMLParser

VOID = {"meta", "input", "link", "br", "img", "hr", "line", "rect"}


class Reader(HTMLParser):
    """Elements with their attributes, and the text of each; raises AssertionError where tags do not match."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.elements, self.texts, self._open = [], [], []
        self.feed(text)
        self.close()
        assert not self._open, f"never closed: {self._open}"

    def handle_starttag(self, tag, attributes):
        names = [name for name, _ in attributes]
        assert len(names) == len(set(names)), (tag, names)
        self.elements.append((tag, dict(attributes)))
        self.texts.append("")
        if tag not in VOID:
            self._open.append((tag, len(self.texts) - 1))

    def handle_startendtag(self, tag, attributes):
        assert tag in VOID, tag
        self.handle_starttag(tag, attributes)

    def handle_endtag(self, tag):
        opened, _ = self._open.pop()
        assert tag == opened, f"</{tag}> closes <{opened}>"

    def handle_data(self, data):
        for _, place in self._open:
            self.texts[place] += data

    def handle_comment(self, data):
        raise AssertionError(f"a comment: {data[:80]}")

    def tags(self):
        return [tag for tag, _ in self.elements]

    def text_of(self, tag):
        return [text for (name, _), text in zip(self.elements, self.texts, strict=True) if name == tag]

    def drawings(self):
        """What the page's script draws from."""
        return next(
            json.loads(text)
            for (_, attributes), text in zip(self.elements, self.texts, strict=True)
            if attributes.get("id") == "drawings"
        )
