"""Office files held against the schemas of ECMA-376 (``tests/data/ecma376_schemas.zip``), part by part."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Final

from lxml import etree

__all__ = ["schema_faults"]

_SCHEMAS: Final = Path(__file__).parent / "data" / "ecma376_schemas.zip"
_MC: Final = "{http://schemas.openxmlformats.org/markup-compatibility/2006}"
_XML: Final = "http://www.w3.org/XML/1998/namespace"
_DC, _TERMS = "http://purl.org/dc/elements/1.1/", "http://purl.org/dc/terms/"
_OWN: Final = {
    _XML: '<xs:attribute name="space" type="xs:NCName"/><xs:attribute name="lang" type="xs:language"/>',
    _DC: "".join(
        f'<xs:element name="{name}" type="xs:string"/>'
        for name in ("creator", "description", "identifier", "language", "subject", "title")
    ),
    _TERMS: "".join(f'<xs:element name="{name}" type="xs:dateTime"/>' for name in ("created", "modified")),
}
"""What the schemas import from elsewhere: names of XML itself and of Dublin Core."""
_LATER: Final = {"{http://schemas.openxmlformats.org/wordprocessingml/2006/main}compatSetting"}
"""What ISO/IEC 29500:2008 added and the files hold: without it Word opens a document in an older mode."""
_UNLISTED: Final = {
    ("{http://schemas.openxmlformats.org/spreadsheetml/2006/main}t", f"{{{_XML}}}space"),
}
"""What XML allows everywhere and the standard's own examples use, but its schema forgets."""
_TYPE: Final = "{http://www.w3.org/2001/XMLSchema-instance}type"
_PLACE: Final = "memory:/"


def schema_faults(path: Path) -> list[str]:
    """Return what in the parts of an office file, and of files embedded in it, breaks the schemas.

    What a reader of the standard ignores (elements and attributes of a namespace declared ignorable) is left
    out, and of alternatives the fallback is taken, as ECMA-376 part 3 says. A part in a namespace that the
    standard does not describe is a fault too.
    """
    return list(_faults(path.read_bytes(), path.suffix))


def _faults(data: bytes, place: str) -> Iterator[str]:
    with zipfile.ZipFile(io.BytesIO(data)) as package:
        for name in package.namelist():
            if name.endswith(".xlsx"):
                yield from _faults(package.read(name), f"{place}/{name}")
            if not name.endswith((".xml", ".rels")):
                continue
            try:
                root = etree.fromstring(package.read(name))
            except etree.XMLSyntaxError as error:
                yield f"{place}/{name}: {error}"
                continue
            space = etree.QName(root).namespace or ""
            if space not in _merged():
                yield f"{place}/{name}: no schema for {space}"
                continue
            schema = _schema()
            if not schema.validate(etree.fromstring(etree.tostring(_plain(root)))):
                yield from (f"{place}/{name}: {error.message}" for error in schema.error_log)


def _plain(root: etree._Element) -> etree._Element:
    """Return a part without what is ignorable, the fallback in place of alternatives."""
    ignored: set[str] = set()
    for element in root.iter(etree.Element):
        ignored |= {element.nsmap[prefix] for prefix in element.attrib.pop(f"{_MC}Ignorable", "").split()}
    for choice in list(root.iter(f"{_MC}AlternateContent")):
        parent, fallback = choice.getparent(), choice.find(f"{_MC}Fallback")
        assert parent is not None
        for child in list(fallback) if fallback is not None else []:
            choice.addprevious(child)
        parent.remove(choice)
    for element in list(root.iter(etree.Element)):
        parent = element.getparent()
        later = element.tag in _LATER or etree.QName(element).namespace in ignored
        if later and parent is not None:
            parent.remove(element)
            continue
        for name in list(element.attrib):
            unlisted = (element.tag, name) in _UNLISTED or etree.QName(name).namespace in ignored
            if unlisted or (name == _TYPE and etree.QName(element).namespace == _TERMS):
                del element.attrib[name]
    return root


@cache
def _merged() -> dict[str, bytes]:
    """Return one schema document a namespace.

    The standard has several files to a namespace; libxml2 follows only the first import of each.
    """
    parts: dict[str, list[str]] = {}
    wants: dict[str, set[str]] = {}
    forms: dict[str, str] = {}
    with zipfile.ZipFile(_SCHEMAS) as package:
        for name in package.namelist():
            root = etree.fromstring(package.read(name))
            space = root.get("targetNamespace", "")
            forms[space] = root.get("attributeFormDefault") or forms.get(space, "unqualified")
            for child in root.iterchildren(etree.Element):
                kind = etree.QName(child).localname
                if kind == "import":
                    wants.setdefault(space, set()).add(child.get("namespace", ""))
                elif kind != "include":
                    parts.setdefault(space, []).append(
                        etree.tostring(child, encoding="unicode", with_tail=False)
                    )
    merged = {}
    for space, own in (parts | {space: [text] for space, text in _OWN.items()}).items():
        head = f'attributeFormDefault="{forms.get(space, "unqualified")}" targetNamespace="{space}"'
        merged[space] = _document(f'elementFormDefault="qualified" {head}', wants.get(space, ()), own)
    return merged


def _document(head: str, imports: Iterable[str], own: Iterable[str]) -> bytes:
    wanted = (f'<xs:import namespace="{one}" schemaLocation="{_PLACE}{one}"/>' for one in sorted(imports))
    body = "".join((*wanted, *own))
    return f'<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" {head}>{body}</xs:schema>'.encode()


class _Resolver(etree.Resolver):
    """Finds the schema of a namespace."""

    def resolve(self, url: str, public_id: str, context: object) -> object:
        """Return its document."""
        del public_id
        return self.resolve_string(_merged()[url.removeprefix(_PLACE)], context, base_url=url)


@cache
def _schema() -> etree.XMLSchema:
    """Return the schema of all namespaces at once: pictures and charts stand in documents of every kind."""
    parser = etree.XMLParser()
    parser.resolvers.add(_Resolver())
    every = _document("", _merged(), ())
    return etree.XMLSchema(etree.fromstring(every, parser, base_url=f"{_PLACE}all"))
