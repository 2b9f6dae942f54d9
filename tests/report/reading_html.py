"""A page as a strict reader sees it."""

from html.parser import HTMLParser

VOID = {"meta", "link", "br", "hr", "img", "input", "col", "wbr"}
INLINE = {"a", "code", "span", "strong", "b"}
ADDRESSES = {"src", "href", "action", "data", "poster", "srcset", "xlink:href"}


class Page(HTMLParser):
    """Elements, ids, headings and text of a page; `faults` says what is out of balance."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.open, self.ids, self.headings, self.addresses, self.faults = [], [], [], [], []
        self.elements, self.text = [], []
        self.feed(text)
        self.close()
        self.faults += [f"<{tag}> is never closed" for tag in self.open]

    def handle_starttag(self, tag, attributes):
        self._see(tag, attributes)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self._see(tag, attributes)

    def _see(self, tag, attributes):
        about = dict(attributes)
        self.text.append("" if tag in INLINE else " ")
        if len(about) < len(attributes):
            self.faults.append(f"<{tag}> has an attribute twice")
        self.elements.append((tag, about))
        self.ids += [about["id"]] if "id" in about else []
        self.addresses += [value for name, value in attributes if name in ADDRESSES]
        if tag in {"h1", "h2", "h3", "h4"}:
            self.headings.append(int(tag[1]))

    def handle_endtag(self, tag):
        self.text.append("" if tag in INLINE else " ")
        if not self.open or self.open[-1] != tag:
            self.faults.append(f"</{tag}> closes {self.open[-1:]}")
        else:
            self.open.pop()

    def handle_data(self, data):
        if not {"style", "script"} & set(self.open):
            self.text.append(data)

    @property
    def words(self):
        return " ".join("".join(self.text).split())

    def of(self, tag):
        return [about for name, about in self.elements if name == tag]
